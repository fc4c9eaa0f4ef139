//! [`Compile`]: a program's loop over steps by the C++ compiler of the machine, instead of the interpreter.
//!
//! The bytes are those of the interpreter with the same instructions: the text has its operations, one by one. So a compiler that is not
//! there, or fails, costs time and is no error.

use std::ffi::c_long;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libloading::Library;
use smallvec::SmallVec;

use crate::program::{CHUNK, Channel, Instruction, Registers, Row, Steps};
use crate::{Cache, Function, Instructions, Real};
use compiler::Compiler;

mod compiler;
mod text;

/// Whether the programs of units are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compile {
    /// They are interpreted.
    #[default]
    Never,
    /// Each once, when it first runs, by `$CXX` or the first of `c++`, `g++` and `clang++` on the path, and kept on disk in `$BD_CACHE/loops` or
    /// the user's folder for caches. Where there is no compiler or it fails, they are interpreted.
    IfFound,
}

impl Compile {
    /// The first line of what the compiler that [`IfFound`](Self::IfFound) takes says of its version; or why there is none.
    pub fn compiler() -> Result<String, String> {
        Compiler::of_this_machine().map(|compiler| compiler.version.clone()).map_err(str::to_owned)
    }
}

/// What a loop is made of.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) instructions: Vec<(Row, Instruction)>,
    pub(crate) inputs: usize,
    pub(crate) rows: usize,
    /// Rows of inputs that are written down before a step.
    pub(crate) kept: Vec<Row>,
    /// Rows of results that are written down after it.
    pub(crate) stored: Vec<Row>,
}

impl Source {
    /// Whether a step changes this input.
    fn is_state(&self, input: usize) -> bool {
        self.instructions.iter().any(|(to, _)| usize::from(*to) == input)
    }

    fn states(&self) -> impl Iterator<Item = usize> {
        (0..self.inputs).filter(|input| self.is_state(*input))
    }
}

/// A program, and its loops by dtype and instructions, as far as they were wanted.
#[derive(Debug)]
pub(crate) struct Compiled {
    source: Source,
    loops: [[OnceLock<Result<Loaded, String>>; Instructions::LEVELS]; 2],
}

/// A library in this process.
#[derive(Debug)]
struct Loaded {
    /// Its only function, a [`Loop`] of the dtype that the text was written for.
    address: unsafe extern "C" fn(),
    /// What it calls back for.
    calls: Vec<Function>,
    /// What keeps it there.
    _library: Library,
    /// Where it is kept, and whether it was found there.
    kept: Option<(PathBuf, bool)>,
}

/// A series of each unit: where the first step of the first one begins, and how far units and steps are apart.
#[repr(C)]
struct Stream<F> {
    begin: *mut F,
    unit: c_long,
    step: c_long,
}

/// Of few there is no list in memory: of a network whose neurons see each other in the next step, a call is one step.
type Streams<F> = SmallVec<[Stream<F>; 16]>;

/// Functions that the text has no formula for: the interpreter's.
#[repr(C)]
struct Calls<F> {
    functions: *const Function,
    function: unsafe extern "C" fn(*const Function, c_long, F) -> F,
    power: extern "C" fn(F, F) -> F,
}

/// # Safety
/// There are more than `which` functions.
unsafe extern "C" fn function<F: Real>(functions: *const Function, which: c_long, x: F) -> F {
    // SAFETY: the caller's promise.
    unsafe { *functions.add(which as usize) }.of(x)
}

extern "C" fn power<F: Real>(x: F, exponent: F) -> F {
    x.power(exponent)
}

/// Units, steps, lanes, what is read, what is written, and what is called.
type Loop<F> = unsafe extern "C" fn(c_long, c_long, c_long, *const Stream<F>, *const Stream<F>, *const Calls<F>);

impl Compiled {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, loops: Default::default() }
    }

    /// Runs a stretch, if it can.
    pub(crate) fn run<F: Real>(
        &self,
        instructions: Instructions,
        steps: &mut Steps<'_, '_, F>,
        registers: &mut Registers<F>,
    ) -> bool {
        // A vector has to fit; the bytes are the same.
        let instructions = match steps.lanes.is_multiple_of(text::width::<F>(instructions)) {
            true => instructions,
            false => instructions.shorter(),
        };
        let slot = &self.loops[usize::from(size_of::<F>() == 8)][instructions.level()];
        let Ok(loaded) = slot.get_or_init(|| load::<F>(&self.source, instructions)) else { return false };
        let mut unread: SmallVec<[F; CHUNK]> = SmallVec::from_elem(F::default(), steps.lanes);
        let Some(outputs) = self.outputs(steps, &mut unread) else { return false };
        let inputs = self.inputs(steps, registers);
        // SAFETY: the text declares the function so, and it was written for `F`.
        let run = unsafe { std::mem::transmute::<unsafe extern "C" fn(), Loop<F>>(loaded.address) };
        let calls = Calls { functions: loaded.calls.as_ptr(), function: function::<F>, power: power::<F> };
        let [units, n, lanes] = [steps.units, steps.steps, steps.lanes].map(|n| n as c_long);
        // SAFETY: the processor has the instructions. Streams are as many as the text reads and writes, and their series lie within slices that
        // are borrowed meanwhile: `steps` and `registers` are, alone. Nothing that is written is read, but for states in their own place.
        unsafe { run(units, n, lanes, inputs.as_ptr(), outputs.as_ptr(), &calls) };
        true
    }

    /// By row. What is not loaded stands in the registers: states, and what units hold.
    fn inputs<F: Real>(&self, steps: &Steps<'_, '_, F>, registers: &mut Registers<F>) -> Streams<F> {
        assert!(steps.units * steps.lanes <= registers.width() && self.source.inputs <= registers.begins().len());
        let stream = |(row, begin): (usize, *mut F)| match steps.loads.iter().find(|channel| channel.row == row) {
            None => Stream { begin, unit: steps.lanes as c_long, step: 0 },
            Some(channel) => {
                steps.stream(channel, steps.read[channel.block].as_ptr().cast_mut(), steps.read[channel.block].len())
            }
        };
        registers.begins().enumerate().take(self.source.inputs).map(stream).collect()
    }

    /// What is kept and what is stored, in this order; nothing if something is wanted that the loop does not write.
    fn outputs<F: Real>(&self, steps: &mut Steps<'_, '_, F>, unread: &mut [F]) -> Option<Streams<F>> {
        let blocks: SmallVec<[(*mut F, usize); 4]> =
            steps.written.iter_mut().map(|block| (block.as_mut_ptr(), block.len())).collect();
        let mut streams = Streams::new();
        let begin = unread.as_mut_ptr();
        for (rows, channels) in [(&self.source.kept, steps.keeps), (&self.source.stored, steps.stores)] {
            // Each channel is the next result of its row.
            let mut left: SmallVec<[&Channel; 8]> = channels.iter().collect();
            for row in rows {
                let place = left.iter().position(|channel| channel.row == usize::from(*row));
                streams.push(match place.map(|place| left.remove(place)) {
                    Some(channel) => steps.stream(channel, blocks[channel.block].0, blocks[channel.block].1),
                    None => Stream { begin, unit: 0, step: 0 },
                });
            }
            if !left.is_empty() {
                return None;
            }
        }
        Some(streams)
    }

    /// What has become of the loops that were wanted, each in a few words.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = Result<String, String>> {
        self.loops.iter().flatten().filter_map(OnceLock::get).map(|outcome| match outcome {
            Ok(Loaded { kept: None, .. }) => Ok("compiled, and kept nowhere".to_owned()),
            Ok(Loaded { kept: Some((file, true)), .. }) => Ok(format!("found in {}", parent(file).display())),
            Ok(Loaded { kept: Some((file, false)), .. }) => Ok(format!("compiled into {}", parent(file).display())),
            Err(reason) => Err(reason.clone()),
        })
    }
}

fn parent(file: &Path) -> &Path {
    file.parent().unwrap_or(file)
}

impl<F: Real> Steps<'_, '_, F> {
    /// The series of a channel in a block of `len` numbers.
    fn stream(&self, channel: &Channel, block: *mut F, len: usize) -> Stream<F> {
        let (apart, lanes) = (self.steps * self.lanes, self.lanes as c_long);
        let (unit, first, step) = match (channel.constant, self.backward) {
            (true, _) => (self.lanes, 0, 0),
            (false, false) => (apart, 0, lanes),
            (false, true) => (apart, apart - self.lanes, -lanes),
        };
        assert!(channel.begin + self.units * unit <= len, "series within their block");
        // SAFETY: within the block, as was just asserted.
        Stream { begin: unsafe { block.add(channel.begin + first) }, unit: unit as c_long, step }
    }
}

fn load<F: Real>(source: &Source, instructions: Instructions) -> Result<Loaded, String> {
    let (text, calls) = text::text::<F>(source, instructions);
    let (compiler, flags) = (Compiler::of_this_machine()?, instructions.flags());
    let (name, cache) = (Cache::name(&text, &compiler.identity(flags)), Cache::of_user("loops", "so"));
    if let Some((file, _)) = cache.found(&name) {
        return open(&file, calls, Some((file.clone(), true)));
    }
    let work = tempfile::tempdir().map_err(|error| format!("there is no temporary folder: {error}"))?;
    let [from, to] = ["loops.cpp", "loops.so"].map(|name| work.path().join(name));
    std::fs::write(&from, text).map_err(|error| format!("{}: {error}", from.display()))?;
    compiler.compile(&from, flags, &to)?;
    let library = std::fs::read(&to).map_err(|error| format!("{}: {error}", to.display()))?;
    // Loaders read no further than a library's last section, so that a hash may stand behind it.
    match cache.keep(&name, &library) {
        Some(file) => open(&file, calls, Some((file.clone(), false))),
        // A library that is loaded stays when its file goes.
        None => open(&to, calls, None),
    }
}

fn open(file: &Path, calls: Vec<Function>, kept: Option<(PathBuf, bool)>) -> Result<Loaded, String> {
    let words = |error: libloading::Error| format!("{}: {error}", file.display());
    // SAFETY: made of a text of ours, which runs nothing when it is loaded.
    let library = unsafe { Library::new(file) }.map_err(words)?;
    // SAFETY: a function; its type is that of the text, see `Compiled::run`.
    let address = unsafe { *library.get::<unsafe extern "C" fn()>(b"run\0").map_err(words)? };
    Ok(Loaded { address, calls, _library: library, kept })
}
