//! Go's text/template: parsing, execution, and the functions that log and alert templates use.
