//! What can go wrong.

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The drawing itself failed: a font, a layout.
    #[error("a figure cannot be drawn: {0}")]
    Draw(String),

    /// More panels than fit into a figure.
    #[error("{rows} rows of panels, {height} pixels high each: a figure has at most {most}")]
    Size {
        /// Rows of panels.
        rows: usize,
        /// Height of a panel in pixels.
        height: u32,
        /// The greatest height of all panels together, in pixels.
        most: u32,
    },

    /// A bitmap that the encoder refuses.
    #[error("a figure cannot be encoded as PNG: {0}")]
    Encode(#[from] png::EncodingError),

    /// A picture that this crate has not drawn.
    #[error("it is no picture that bd has drawn: {0}")]
    Foreign(String),

    /// A width on paper that none has.
    #[error("a picture {width_mm} mm wide: it is from {least} to {most} mm")]
    Width {
        /// In millimetres.
        width_mm: f64,
        /// The least width.
        least: f64,
        /// The greatest.
        most: f64,
    },

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
