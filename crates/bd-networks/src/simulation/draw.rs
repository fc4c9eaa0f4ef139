//! The synapses of all projections, drawn by threads.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bd_equations::Result;
use bd_kernel::Real;

use crate::connect::{Connect, EdgeList};
use crate::drawing::Drawing;
use crate::edges::Edges;
use crate::given::Given;
use crate::network::Network;

use super::SpikeTrain;

/// Reads a file of synapses, by its name in the text.
pub type ReadEdges<'a> = dyn Fn(&str) -> Result<EdgeList, String> + 'a;

/// Reads a file of spikes, by its name in the text.
pub type ReadTrain<'a> = dyn Fn(&str) -> Result<SpikeTrain, String> + 'a;

/// What a simulation has that the text of its network does not say.
#[derive(Clone, Copy)]
pub struct Origins<'a> {
    /// Files of synapses.
    pub edges: &'a ReadEdges<'a>,
    /// Files of spikes.
    pub trains: &'a ReadTrain<'a>,
    /// Numbers in place of those that are drawn.
    pub given: &'a Given,
    /// Is told, several times in a second, which part of all synapses is drawn, from 0 to 1: whether they are still wanted.
    pub wanted: &'a dyn Fn(f64) -> bool,
}

impl std::fmt::Debug for Origins<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Origins").field("given", self.given).finish_non_exhaustive()
    }
}

/// How long nobody is asked whether synapses are still wanted.
const PAUSE: Duration = Duration::from_millis(50);

/// The synapses of all projections; nothing if they are not wanted any more. Threads take the next one that nobody has; files are read one after
/// the other.
pub(super) fn draw_all<F: Real>(
    network: &Network,
    seed: u64,
    threads: usize,
    origins: &Origins<'_>,
) -> Result<Option<Vec<Edges<F>>>> {
    let (next, drawing) = (AtomicUsize::new(0), Drawing::default());
    let drawn: Vec<OnceLock<Result<Edges<F>>>> = network.projections.iter().map(|_| OnceLock::new()).collect();
    let asking = thread::current();
    let draw = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(projection) = network.projections.get(at).filter(|_| !drawing.is_stopped()) else { break };
            if !matches!(projection.connect, Connect::FromFile { .. }) {
                let no_file = |_: &str| Err(String::new());
                drawn[at].get_or_init(|| projection.edges_watched(network.dt_ms, seed, &no_file, &drawing));
            }
        }
        asking.unpark();
    };
    let all: f64 = network.projections.iter().map(|projection| projection.draws()).sum();
    let ask = || {
        if !(origins.wanted)((drawing.drawn() as f64 / all.max(1.0)).min(1.0)) {
            drawing.stop();
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(draw)).collect();
        while !threads.iter().all(|thread| thread.is_finished()) {
            ask();
            thread::park_timeout(PAUSE);
        }
    });
    let mut edges = Vec::new();
    for (drawn, projection) in drawn.into_iter().zip(&network.projections) {
        ask();
        if drawing.is_stopped() {
            return Ok(None);
        }
        let mut of_projection = match drawn.into_inner() {
            Some(edges) => edges?,
            None => projection.edges_watched(network.dt_ms, seed, origins.edges, &drawing)?,
        };
        origins.given.put(projection, &mut of_projection)?;
        edges.push(of_projection);
    }
    Ok(Some(edges))
}
