//! Write-ahead log, head and flush: the recent data.
