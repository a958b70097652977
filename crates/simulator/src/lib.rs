//! The platform side, to develop and measure against.
