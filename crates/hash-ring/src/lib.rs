//! Who is there and who holds what.
