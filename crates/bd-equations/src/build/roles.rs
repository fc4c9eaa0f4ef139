//! [`Roles`]: what each line and constant is to the neuron.

use std::collections::BTreeSet;

use crate::equations::{Assignment, Flag, Line, Role};
use crate::error::{Error, Result, nearest};
use crate::formula::Function;
use crate::source::Source;
use crate::text::NeuronText;
use crate::units::unit;

/// Most variables of a neuron, and most ports, and most numbers of its own.
const MOST: usize = 64;

/// Names by what they are, in the order of lines. Of numbers that neurons have of their own, constants without a line come last.
#[derive(Debug)]
pub(super) struct Roles {
    /// Variables of differential equations.
    pub(super) differential: Vec<String>,
    /// Parameters that the reset changes.
    pub(super) changed: Vec<String>,
    pub(super) ports: Vec<String>,
    pub(super) own: Vec<String>,
    pub(super) trained: BTreeSet<String>,
    pub(super) positive: BTreeSet<String>,
}

/// Names that mean something else.
const RESERVED: [&str; 18] = [
    "t",
    "dt",
    "i",
    "j",
    "N",
    "pi",
    "e",
    "inf",
    "rand",
    "randn",
    "xi",
    "and",
    "or",
    "not",
    "lastspike",
    "not_refractory",
    "spike",
    "refractory",
];

impl Roles {
    pub(super) fn new(
        text: &NeuronText,
        source: &Source,
        lines: &[Line],
        resets: (&Source, &[Assignment]),
    ) -> Result<Self> {
        check_names(text, source, lines)?;
        let differential: Vec<String> = names(lines, |line| matches!(line.role, Role::Differential(_)));
        if differential.is_empty() {
            return Err(Error::of("equations", "there is no differential equation dx/dt = f : unit"));
        }
        let parameters = names(lines, |line| matches!(line.role, Role::Parameter));
        let is_set = |name: &String| resets.1.iter().any(|assignment| assignment.name == *name);
        for assignment in resets.1 {
            check_assignment(assignment, resets.0, lines, text)?;
        }
        let trained = marked(lines, Flag::Trained, "trained", &text.trained, text, &parameters)?;
        let positive = marked(lines, Flag::Positive, "positive", &text.positive, text, &parameters)?;
        let mut own = marked(lines, Flag::PerNeuron, "per_neuron", &text.per_neuron, text, &parameters)?;
        own.extend(trained.iter().cloned());
        let from_initial = parameters.iter().filter(|name| text.initial.contains_key(*name) && !is_set(name));
        own.extend(from_initial.cloned());
        if let Some(name) = positive.iter().find(|name| !own.contains(*name)) {
            return Err(Error::of("positive", format!("'{name}' is neither trained nor each neuron's own")));
        }
        for name in &own {
            let why = match is_set(name) {
                true => "the reset changes it",
                false if text.inputs.contains_key(name) => "it is an input",
                false => continue,
            };
            return Err(Error::of("equations", format!("'{name}' cannot be each neuron's own, for {why}")));
        }
        let ports: Vec<String> = parameters.iter().filter(|name| text.inputs.contains_key(*name)).cloned().collect();
        let mut ordered: Vec<String> = parameters.iter().filter(|name| own.contains(*name)).cloned().collect();
        ordered.extend(own.iter().filter(|name| !parameters.contains(name)).cloned());
        let changed: Vec<String> = parameters.iter().filter(|name| is_set(name)).cloned().collect();
        let roles = Self { differential, changed, ports, own: ordered, trained, positive };
        roles.check_counts()?;
        roles.check_values(text, source, lines)?;
        Ok(roles)
    }

    fn check_counts(&self) -> Result<()> {
        let counts = [
            ("variables", self.differential.len() + self.changed.len()),
            ("inputs", self.ports.len()),
            ("numbers of its own", self.own.len()),
        ];
        match counts.into_iter().find(|(_, count)| *count > MOST) {
            Some((what, count)) => {
                Err(Error::of("equations", format!("a neuron has {count} {what}; at most {MOST} are allowed")))
            }
            None => Ok(()),
        }
    }

    /// Each parameter has one source of its value, and each value a parameter.
    fn check_values(&self, text: &NeuronText, source: &Source, lines: &[Line]) -> Result<()> {
        for line in lines.iter().filter(|line| matches!(line.role, Role::Parameter)) {
            let name = &line.name;
            let tables = [("constants", &text.constants), ("inputs", &text.inputs), ("initial", &text.initial)];
            let found: Vec<&str> =
                tables.iter().filter(|(_, table)| table.contains_key(name)).map(|(table, _)| *table).collect();
            match found[..] {
                [] if !self.changed.contains(name) => {
                    let message = format!(
                        "'{name}' has no value; give it one in [constants] or [initial], or make it an input by [inputs]"
                    );
                    return Err(source.error(line.span, message));
                }
                [first, second, ..] => {
                    let message = format!("'{name}' is both in [{first}] and in [{second}]; leave one of them out");
                    return Err(source.error(line.span, message));
                }
                _ => {}
            }
        }
        let known: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
        for (part, table, allowed) in [
            ("inputs", &text.inputs, vec![&self.ports]),
            ("initial", &text.initial, vec![&self.differential, &self.changed, &self.own]),
        ] {
            let Some(name) = table.keys().find(|name| !allowed.iter().any(|names| names.contains(name))) else {
                continue;
            };
            let what = if part == "inputs" { "a parameter line" } else { "a variable or parameter" };
            let near = match known.contains(&name.as_str()) {
                true => String::new(),
                false => nearest(name, known.iter().copied()),
            };
            return Err(Error::of(format!("{part}.{name}"), format!("'{name}' is not {what} of the equations.{near}")));
        }
        Ok(())
    }
}

fn names(lines: &[Line], which: impl Fn(&Line) -> bool) -> Vec<String> {
    lines.iter().filter(|line| which(line)).map(|line| line.name.clone()).collect()
}

/// Names with a flag, or in the list of that name, which may name constants without a line, too.
fn marked(
    lines: &[Line],
    flag: Flag,
    part: &str,
    list: &[String],
    text: &NeuronText,
    parameters: &[String],
) -> Result<BTreeSet<String>> {
    let known = || parameters.iter().chain(text.constants.keys());
    if let Some(name) = list.iter().find(|name| !known().any(|known| known == *name)) {
        let near = nearest(name, known().map(String::as_str));
        return Err(Error::of(part, format!("'{name}' is neither a parameter nor a constant.{near}")));
    }
    Ok(names(lines, |line| line.has(flag)).into_iter().chain(list.iter().cloned()).collect())
}

/// Refuses names that mean something else already.
fn check_names(text: &NeuronText, source: &Source, lines: &[Line]) -> Result<()> {
    for line in lines {
        if let Some(what) = taken(&line.name) {
            return Err(source.error(line.span, format!("'{}' is {what}; choose another name", line.name)));
        }
        if text.constants.contains_key(&line.name) && !matches!(line.role, Role::Parameter) {
            let message =
                format!("'{}' is calculated here, and stands in [constants], too; leave one of them out", line.name);
            return Err(source.error(line.span, message));
        }
    }
    for name in text.constants.keys() {
        let part = format!("constants.{name}");
        if let Some(what) = taken(name) {
            return Err(Error::of(part, format!("'{name}' is {what}; choose another name")));
        }
        let starts = |name: &str| name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !starts(name) || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Error::of(part, format!("'{name}' is no name; names are of letters, digits and _")));
        }
    }
    Ok(())
}

/// What a name means already.
fn taken(name: &str) -> Option<&'static str> {
    if unit(name).is_some() {
        Some("the name of a unit")
    } else if Function::ALL.iter().any(|(function, _)| *function == name) {
        Some("the name of a function")
    } else if RESERVED.contains(&name) {
        Some("a reserved word")
    } else {
        None
    }
}

/// Refuses a reset of what is no variable.
fn check_assignment(assignment: &Assignment, source: &Source, lines: &[Line], text: &NeuronText) -> Result<()> {
    let Assignment { name, span, .. } = assignment;
    let why = match lines.iter().find(|line| line.name == *name) {
        None if text.constants.contains_key(name) => {
            format!("'{name}' is a constant; a parameter that the reset changes needs a line '{name} : unit'")
        }
        None => format!("'{name}' is not defined.{}", nearest(name, lines.iter().map(|line| line.name.as_str()))),
        Some(line) => match line.role {
            Role::Expression(_) => format!("'{name}' is calculated from other variables and cannot be set"),
            Role::Parameter if text.inputs.contains_key(name) => format!("'{name}' is an input and cannot be set"),
            Role::Parameter if line.has(Flag::Constant) => {
                format!("'{name}' has the flag 'constant' and cannot be set")
            }
            _ => return Ok(()),
        },
    };
    Err(source.error(*span, why))
}
