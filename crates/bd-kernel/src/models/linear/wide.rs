//! Inputs of which most is zero, with many outputs: whole rows of the weight, in vectors.

use crate::{
    Block, Events, Input, Lists, Real, RowsMut, Series, Sparse, Start, Striped, Tile, striped_len,
    transpose_into_stripes,
};

use super::{ByRow, LinearKernel, series};

/// One number in so many of an input from other layers may be other than zero.
const WORTH: usize = 4;

/// Memory of a stretch.
#[derive(Default)]
struct Workspace<F> {
    lists: Lists<F>,
    sparse: Sparse<F>,
    transposed: Block<F>,
}

/// Outputs by the rows of the weight that numbers other than zero want. False, and with nothing done, if there are too many of these,
/// or too few outputs.
pub(super) fn gather<F: Real>(kernel: &LinearKernel, tile: Tile, xs: Input<'_, F>, ys: &mut [F]) -> bool {
    let ByRow::Striped(weight) = &kernel.by_row else { return false };
    kernel.workspaces.with(|workspace: &mut Workspace<F>| {
        if !workspace.arrange(kernel, tile, xs, true) {
            return false;
        }
        let start = kernel.bias::<F>().map_or(Start::Zero, Start::Each);
        let ys = RowsMut { numbers: ys, stride: tile.len() };
        workspace.sparse.product_transposed(tile.instructions, weight.striped(), start, ys);
        true
    })
}

/// Adds to the rows of the gradient of the weight what is asked of the outputs where inputs are not zero. False, and nothing
/// done, if there are too many of these, or too few outputs.
pub(super) fn scatter<F: Real>(
    kernel: &LinearKernel,
    tile: Tile,
    xs: Input<'_, F>,
    gys: &[F],
    gweight: &mut [F],
) -> bool {
    let n = kernel.n_out;
    if matches!(kernel.by_row, ByRow::Plain(_)) {
        return false;
    }
    kernel.workspaces.with(|workspace: &mut Workspace<F>| {
        if !workspace.arrange(kernel, tile, xs, false) {
            return false;
        }
        workspace.transposed.resize(striped_len(tile.len(), n));
        transpose_into_stripes(
            tile.instructions,
            [n, tile.len()],
            series(tile, gys),
            &mut workspace.transposed,
            tile.len(),
            0,
        );
        let transposed = Striped { numbers: &workspace.transposed, rows: tile.len(), columns: n };
        workspace.sparse.add_product(tile.instructions, transposed, RowsMut { numbers: gweight, stride: n });
        true
    })
}

impl<F: Real> Workspace<F> {
    /// The inputs of a stretch as a matrix, with a row for each lane of each step, or else for each channel. False if too many are
    /// not zero.
    fn arrange(&mut self, kernel: &LinearKernel, tile: Tile, xs: Input<'_, F>, by_lane: bool) -> bool {
        let Self { lists, sparse, .. } = self;
        match xs {
            Input::Events(events) => lists.fill(tile.len(), entries(events, tile)),
            Input::Dense(xs) => {
                let series = Series::by_channel(xs, kernel.n_in, tile.len());
                if !lists.find(tile.instructions, series, xs.len() / WORTH) {
                    return false;
                }
            }
        }
        let listed_by_lane = matches!(xs, Input::Events(_));
        match by_lane {
            _ if by_lane != listed_by_lane => {
                sparse.arrange_transposed(lists, if by_lane { tile.len() } else { kernel.n_in })
            }
            true => sparse.arrange(lists, kernel.n_in),
            false => sparse.arrange(lists, tile.len()),
        }
        true
    }
}

/// Events in order: the lane of the step, the channel, the value.
fn entries<F: Real>(events: Events<'_, F>, tile: Tile) -> impl Iterator<Item = (usize, u32, F)> + '_ {
    let of_step = move |t: usize| {
        events.at(t).iter().map(move |event| (t * tile.lanes + event.lane as usize, event.channel, event.value))
    };
    (0..tile.steps).flat_map(of_step)
}
