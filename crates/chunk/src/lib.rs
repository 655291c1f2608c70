//! Pure encodings of samples and histograms.
