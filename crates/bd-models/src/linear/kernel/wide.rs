//! Inputs of which most is zero, with many outputs: whole rows of the weight, in vectors.

use bd_core::kernel::{
    Block, Entry, Events, Input, Real, Rows, RowsMut, Series, Sparse, Striped, Tile, apart, find_entries, striped_len,
    turn, turn_into_stripes,
};

use super::{ByRow, LinearKernel, series};

/// One number in so many of an input from other layers may be other than zero.
const WORTH: usize = 4;

/// Memory of a stretch.
#[derive(Default)]
struct Room<F> {
    sparse: Sparse<F>,
    entries: Vec<Entry<F>>,
    turned: Block<F>,
}

/// Outputs by the rows of the weight that numbers other than zero want. False, and with outputs that are worth nothing, if there
/// are too many numbers, or too few outputs.
pub(super) fn gather<F: Real>(kernel: &LinearKernel, tile: Tile, xs: Input<'_, F>, ys: &mut [F]) -> bool {
    let (n_in, n, lanes, instructions) = (kernel.n_in, kernel.n_out, tile.lanes, tile.instructions);
    let ByRow::Striped(weight) = &kernel.by_row else { return false };
    let weight = weight.striped();
    kernel.rooms.with(|room: &mut Room<F>| {
        let stride = apart(n);
        for t in 0..tile.steps {
            room.turned.resize(stride * lanes);
            room.turned.fill(F::default());
            if let Some(bias) = kernel.bias::<F>() {
                room.turned.chunks_exact_mut(stride).for_each(|sums| sums[..n].copy_from_slice(bias));
            }
            let sums = RowsMut { numbers: &mut room.turned, stride };
            match xs {
                Input::Events(events) => {
                    room.sparse.arrange(lanes, entries(events, t, 0).map(Entry::turned));
                }
                Input::Dense(xs) => {
                    let xs = Series { lanes, ..Series::by_channel(&xs[t * lanes..], n_in, tile.len()) };
                    if !find_entries(instructions, xs, n_in * lanes / WORTH, &mut room.entries) {
                        return false;
                    }
                    room.sparse.arrange(lanes, room.entries.iter().map(|entry| entry.turned()));
                }
            }
            room.sparse.add_product(instructions, weight, sums);
            let to = RowsMut { numbers: &mut ys[t * lanes..], stride: tile.len() };
            turn(instructions, [lanes, n], Rows { numbers: &room.turned, stride }, to);
        }
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
    let (n_in, n) = (kernel.n_in, kernel.n_out);
    if matches!(kernel.by_row, ByRow::Plain(_)) {
        return false;
    }
    kernel.rooms.with(|room: &mut Room<F>| {
        match xs {
            Input::Events(events) => {
                let all = (0..tile.steps).flat_map(|t| entries(events, t, t * tile.lanes));
                room.sparse.arrange(n_in, all);
            }
            Input::Dense(xs) => {
                let series = Series::by_channel(xs, n_in, tile.len());
                if !find_entries(tile.instructions, series, xs.len() / WORTH, &mut room.entries) {
                    return false;
                }
                room.sparse.arrange(n_in, room.entries.iter().copied());
            }
        }
        room.turned.resize(striped_len(tile.len(), n));
        turn_into_stripes(tile.instructions, [n, tile.len()], series(tile, gys), &mut room.turned, tile.len(), 0);
        let turned = Striped { numbers: &room.turned, rows: tile.len(), columns: n };
        room.sparse.add_product(tile.instructions, turned, RowsMut { numbers: gweight, stride: n });
        true
    })
}

/// Events of a step; their columns count from `first`.
fn entries<F: Real>(events: Events<'_, F>, t: usize, first: usize) -> impl Iterator<Item = Entry<F>> + Clone + '_ {
    events.at(t).iter().map(move |event| Entry {
        row: event.channel,
        column: first as u32 + event.lane,
        value: event.value,
    })
}
