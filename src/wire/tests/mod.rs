//! Tests of the decoder and encoder.
