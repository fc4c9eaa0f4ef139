//! What can go wrong.

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The drawing itself failed: a font, a layout.
    #[error("a figure cannot be drawn: {0}")]
    Draw(String),

    /// A bitmap that is no PNG: larger than the format allows.
    #[error("a figure cannot be encoded as PNG: {0}")]
    Encode(#[from] png::EncodingError),

    /// An array whose length is not that of its shape.
    #[error("{what} of layer {layer}: {found} numbers, but the shape [sample, time, neuron] is {shape:?}")]
    Shape {
        /// The array, in words.
        what: &'static str,
        /// The layer that was recorded.
        layer: String,
        /// `[sample, time, neuron]`.
        shape: [usize; 3],
        /// Numbers in the array.
        found: usize,
    },
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
