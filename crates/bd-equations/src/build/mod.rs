//! From [`NeuronText`] to [`Model`].

mod constants;
mod roles;

use bd_kernel::Compile;
use constants::{Quantity, check_length, constants, quantity};
use roles::Roles;

use crate::check::{Checker, Meaning, Scope};
use crate::dimension::Dimension;
use crate::equations::{Assignment, Flag, Line, Role, assignments, lines};
use crate::error::{Error, Result, nearest};
use crate::formula::{Formula, Node, Term};
use crate::method::Equations;
use crate::model::{Facts, Firing, Held, Initial, Model, Port, Refractory, State};
use crate::parser::Parser;
use crate::source::Source;
use crate::syntax::{Comparison, Expr, Kind, Operator};
use crate::text::{Method, NeuronText, Value};

impl NeuronText {
    /// Checks names, units and the method, and makes the model.
    pub fn build(&self) -> Result<Model> {
        if !(1..=100).contains(&self.substeps) {
            return Err(Error::of("substeps", format!("{} substeps cannot be; 1 to 100 are allowed", self.substeps)));
        }
        check_length("inputs", &self.inputs)?;
        check_length("initial", &self.initial)?;
        let source = Source::new("equations", self.equations.as_str())?;
        let reset_source = Source::new("reset", self.reset.as_deref().unwrap_or(""))?;
        let (lines, resets) = (lines(&source)?, assignments(&reset_source)?);
        let roles = Roles::new(self, &source, &lines, (&reset_source, &resets))?;
        let own = roles.own.iter().cloned().collect();
        let constants = constants(&self.constants, &own)?;
        let builder = Builder { text: self, source, lines, roles, constants };
        builder.build(&reset_source, &resets)
    }
}

/// What is known after the names are.
struct Builder<'a> {
    text: &'a NeuronText,
    source: Source,
    lines: Vec<Line>,
    roles: Roles,
    constants: Scope,
}

impl Builder<'_> {
    fn build(&self, reset_source: &Source, resets: &[Assignment]) -> Result<Model> {
        let scope = self.scope()?;
        let formulas = self.formulas(&scope)?;
        let equations = self.equations(&scope, formulas)?;
        let method = equations.method(self.text.method, &self.source)?;
        self.check_detached(method)?;
        let firing = self.firing(&scope, &equations.lines, reset_source, resets)?;
        let output = self.output(&scope, &equations.lines)?;
        Ok(Model {
            facts: Facts {
                summary: self.text.summary.clone(),
                source: self.text.source.clone(),
                note: self.text.note.clone(),
            },
            states: self.states(firing.as_ref())?,
            ports: self.roles.ports.iter().map(|name| self.port(name)).collect::<Result<_>>()?,
            held: self.roles.own.iter().map(|name| self.held(name)).collect::<Result<_>>()?,
            equations,
            method,
            substeps: self.text.substeps,
            compile: if self.text.compile { Compile::IfFound } else { Compile::Never },
            firing,
            output,
            variables: self.roles.differential.len() + self.roles.changed.len(),
        })
    }

    /// What is outside the gradient are lines `x = f`, and methods that solve equations by their derivatives need all of these.
    fn check_detached(&self, method: Method) -> Result<()> {
        let lines =
            || self.lines.iter().filter(|line| matches!(line.role, Role::Expression(_))).map(|line| &line.name[..]);
        if let Some(name) = self.text.detached.iter().find(|name| !lines().any(|line| line == *name)) {
            let message = format!("'{name}' is no line 'x = f' of the equations.{}", nearest(name, lines()));
            return Err(Error::of("detached", message));
        }
        if !self.text.detached.is_empty() && matches!(method, Method::Exact | Method::ExponentialRosenbrock) {
            let message =
                "this method solves equations by their derivatives; choose euler, rk2, rk4 or exponential_euler";
            return Err(Error::of("detached", message));
        }
        Ok(())
    }

    /// Names that have a slot, in the order of slots. `dt` is behind them.
    fn slots(&self) -> impl Iterator<Item = &String> {
        let Roles { differential, changed, ports, own, .. } = &self.roles;
        differential.iter().chain(changed).chain(ports).chain(own)
    }

    /// What names mean in equations.
    fn scope(&self) -> Result<Scope> {
        let mut scope = self.constants.clone();
        let mut expressions = 0;
        for line in &self.lines {
            let constant = self.constants.get(&line.name);
            if let Some((_, dimension)) = constant.filter(|(_, dimension)| *dimension != line.dimension) {
                let message = format!(
                    "'{}' is of unit {}, and its value in [constants] of unit {dimension}",
                    line.name, line.dimension
                );
                return Err(self.source.error(line.span, message));
            }
            if matches!(line.role, Role::Expression(_)) {
                scope.insert(line.name.clone(), (Meaning::Line(expressions), line.dimension));
                expressions += 1;
            }
        }
        for (slot, name) in self.slots().enumerate() {
            scope.insert(name.clone(), (Meaning::Slot(slot), self.dimension(name)));
        }
        scope.insert("dt".into(), (Meaning::Slot(self.slots().count()), Dimension::SECOND));
        Ok(scope)
    }

    /// What a line measures, or a constant.
    fn dimension(&self, name: &str) -> Dimension {
        let line = self.lines.iter().find(|line| line.name == name).map(|line| line.dimension);
        line.or_else(|| self.constants.get(name).map(|(_, dimension)| *dimension)).unwrap_or_default()
    }

    /// Lines `x = f`, with what each needs.
    fn formulas(&self, scope: &Scope) -> Result<Vec<Formula>> {
        let mut found: Vec<(&Line, Term)> = Vec::new();
        for line in &self.lines {
            if let Role::Expression(expr) = &line.role {
                found.push((line, Checker::new(&self.source, scope).number_of(expr, line.dimension, &line.name)?));
            }
        }
        let mut needs: Vec<Option<Vec<usize>>> = vec![None; found.len()];
        // As many passes as lines depend on lines in a row.
        while needs.contains(&None) {
            let mut progress = false;
            for (i, (_, term)) in found.iter().enumerate() {
                if needs[i].is_none()
                    && let Some(list) = needed(term, &needs)
                {
                    (needs[i], progress) = (Some(list), true);
                }
            }
            if !progress {
                let circle = found.iter().zip(&needs).filter(|(_, needs)| needs.is_none());
                let names: Vec<&str> = circle.clone().map(|((line, _), _)| line.name.as_str()).collect();
                let span = circle.map(|((line, _), _)| line.span).next().unwrap_or(found[0].0.span);
                return Err(self
                    .source
                    .error(span, format!("{} are defined by each other in a circle", names.join(", "))));
            }
        }
        Ok(found
            .into_iter()
            .zip(needs)
            .map(|((line, term), needs)| Formula {
                term,
                needs: needs.unwrap_or_default(),
                detached: self.text.detached.contains(&line.name),
            })
            .collect())
    }

    fn equations(&self, scope: &Scope, lines: Vec<Formula>) -> Result<Equations> {
        let (mut slopes, mut held) = (Vec::new(), Vec::new());
        for line in &self.lines {
            if let Role::Differential(expr) = &line.role {
                let what = format!("d{}/dt", line.name);
                let term =
                    Checker::new(&self.source, scope).number_of(expr, line.dimension.per(Dimension::SECOND), &what)?;
                slopes.push(formula(term, &lines));
                held.push(line.has(Flag::UnlessRefractory));
            }
        }
        if self.text.refractory.is_none()
            && let Some(line) = self.lines.iter().find(|line| line.has(Flag::UnlessRefractory))
        {
            let message = format!("'{}' has the flag 'unless refractory', and 'refractory' is not given", line.name);
            return Err(self.source.error(line.span, message));
        }
        Ok(Equations { slopes, held, lines, slots: self.slots().count() + 1 })
    }

    /// Threshold, reset and refractoriness.
    fn firing(
        &self,
        scope: &Scope,
        lines: &[Formula],
        reset_source: &Source,
        resets: &[Assignment],
    ) -> Result<Option<Firing>> {
        let Some(threshold) = &self.text.threshold else {
            let without = |part: &str| Err(Error::of(part, "there is no 'threshold'"));
            return match (&self.text.reset, &self.text.refractory) {
                (Some(_), _) => without("reset"),
                (_, Some(_)) => without("refractory"),
                _ => Ok(None),
            };
        };
        let source = Source::new("threshold", threshold.as_str())?;
        let (term, dimension) = distance(&source, &Parser::whole(&source)?, scope)?;
        self.text.surrogate.check().map_err(|error| Error::of("surrogate", error.to_string()))?;
        let mut reset = Vec::new();
        for Assignment { name, value, .. } in resets {
            let term = Checker::new(reset_source, scope).number_of(value, self.dimension(name), name)?;
            let slot = self.slots().position(|slot| slot == name).unwrap_or_default();
            reset.push((slot, formula(term, lines)));
        }
        Ok(Some(Firing {
            distance: formula(term, lines),
            scale: self.surrogate_scale(dimension)?,
            reset,
            detach_reset: self.text.detach_reset,
            attached: Vec::new(),
            surrogate: self.text.surrogate,
            refractory: self.refractory(scope, lines)?,
        }))
    }

    fn surrogate_scale(&self, dimension: Dimension) -> Result<f64> {
        let part = "surrogate_scale";
        let Some(scale) = &self.text.surrogate_scale else {
            if dimension == Dimension::ONE {
                return Ok(1.0);
            }
            let message = format!(
                "the threshold compares {dimension}; give the distance from it that counts as 1 to the surrogate, such as the distance of reset and threshold"
            );
            return Err(Error::of(part, message));
        };
        let found = self.constant(part, scale, dimension, "the distance from the threshold")?;
        if found <= 0.0 {
            return Err(Error::of(part, "it must be above 0"));
        }
        Ok(found)
    }

    fn refractory(&self, scope: &Scope, lines: &[Formula]) -> Result<Option<Refractory>> {
        let Some(value) = &self.text.refractory else {
            return Ok(None);
        };
        let source = Source::new("refractory", value.text())?;
        let expr = Parser::whole(&source)?;
        let typed = Checker::new(&source, scope).check(&expr)?;
        if typed.condition {
            return Ok(Some(Refractory::While(formula(typed.term, lines))));
        }
        match typed.term.node {
            Node::Number(time) if typed.dimension == Dimension::SECOND && time >= 0.0 => {
                Ok(Some(Refractory::Time(time)))
            }
            _ => {
                let quoted = source.quote(expr.span);
                let message = format!(
                    "'{quoted}' must be a time from 0 on, made of constants, such as '2*ms', or a condition, such as 'v > 0'"
                );
                Err(source.error(expr.span, message))
            }
        }
    }

    fn output(&self, scope: &Scope, lines: &[Formula]) -> Result<Option<Formula>> {
        match (self.text.output.as_deref(), &self.text.threshold) {
            (None | Some("spike"), Some(_)) => Ok(None),
            (None, None) => {
                Err(Error::of("output", "it is required of neurons without a threshold, such as output = \"v\""))
            }
            (Some(output), _) => {
                let source = Source::new("output", output)?;
                let typed = Checker::new(&source, scope).number(&Parser::whole(&source)?)?;
                Ok(Some(formula(typed.term, lines)))
            }
        }
    }

    fn states(&self, firing: Option<&Firing>) -> Result<Vec<State>> {
        let mut states = Vec::new();
        for name in self.roles.differential.iter().chain(&self.roles.changed) {
            let (dimension, initial) = (self.dimension(name), self.initial(name)?);
            states.push(State { name: name.clone(), dimension, initial });
        }
        let refractory = firing.and_then(|firing| firing.refractory.as_ref());
        for name in firing.map(|_| "spike").into_iter().chain(refractory.map(|_| "refractory")) {
            states.push(State { name: name.into(), dimension: Dimension::ONE, initial: Initial::constant(0.0) });
        }
        Ok(states)
    }

    fn port(&self, name: &str) -> Result<Port> {
        let dimension = self.dimension(name);
        let scale =
            self.constant(&format!("inputs.{name}"), &self.text.inputs[name], dimension, &format!("'{name}'"))?;
        Ok(Port { name: name.into(), dimension, scale })
    }

    fn held(&self, name: &str) -> Result<Held> {
        let initial = self.initial(name)?;
        let positive = self.roles.positive.contains(name);
        let first = (!initial.is_random()).then(|| initial.value(|_| 0.0));
        if let Some(value) = first.filter(|value| positive && *value <= 0.0) {
            return Err(Error::of("positive", format!("'{name}' begins at {value}, and must be above 0")));
        }
        let trained = self.roles.trained.contains(name);
        Ok(Held { name: name.into(), dimension: self.dimension(name), initial, trained, positive })
    }

    /// The value before the first step: from `[initial]`, from `[constants]`, or 0.
    fn initial(&self, name: &str) -> Result<Initial> {
        let Some(value) = self.text.initial.get(name) else {
            return Ok(Initial::constant(match self.constants.get(name) {
                Some((Meaning::Number(value), _)) => *value,
                _ => 0.0,
            }));
        };
        let source = Source::new(format!("initial.{name}"), value.text())?;
        let mut checker = Checker { draws: Some(Vec::new()), ..Checker::new(&source, &self.constants) };
        let expr = Parser::whole(&source)?;
        let term = checker.number_of(&expr, self.dimension(name), &format!("'{name}'"))?;
        Ok(Initial {
            formula: Formula { term, needs: Vec::new(), detached: false },
            draws: checker.draws.unwrap_or_default(),
        })
    }

    /// A value of this dimension, made of constants.
    fn constant(&self, part: &str, value: &Value, dimension: Dimension, what: &str) -> Result<f64> {
        let source = Source::new(part, value.text())?;
        let expr = Parser::whole(&source)?;
        let Quantity { value, dimension: found } = quantity(&source, &expr, &self.constants)?;
        match found == dimension {
            true => Ok(value),
            false => {
                Err(source.error(expr.span, format!("{what} is of unit {dimension}, and this value of unit {found}")))
            }
        }
    }
}

/// The distance of a comparison from equality, and what it measures.
fn distance(source: &Source, expr: &Expr, scope: &Scope) -> Result<(Term, Dimension)> {
    let Kind::Binary(Operator::Compare(comparison), a, b) = &expr.kind else {
        let message = "the threshold must be one comparison, such as 'v > 1', for a surrogate needs a distance; what else is to hold may be the condition 'refractory'";
        return Err(source.error(expr.span, message));
    };
    let (above, below) = match comparison {
        Comparison::Greater | Comparison::GreaterEqual => (a, b),
        Comparison::Less | Comparison::LessEqual => (b, a),
        Comparison::Equal | Comparison::NotEqual => {
            return Err(source.error(expr.span, "the threshold must compare by <, <=, > or >="));
        }
    };
    let mut checker = Checker::new(source, scope);
    // As it is written, for the message.
    checker.check(expr)?;
    let difference = Kind::Binary(Operator::Subtract, above.clone(), below.clone());
    let typed = checker.number(&Expr::new(difference, expr.span))?;
    Ok((typed.term, typed.dimension))
}

fn formula(term: Term, lines: &[Formula]) -> Formula {
    let needs: Vec<_> = lines.iter().map(|line| Some(line.needs.clone())).collect();
    Formula { needs: needed(&term, &needs).unwrap_or_default(), term, detached: false }
}

/// The lines that a term needs, each after those that it needs itself; nothing where these are not known yet.
fn needed(term: &Term, lines: &[Option<Vec<usize>>]) -> Option<Vec<usize>> {
    let mut direct = Vec::new();
    term.lines(&mut |line| direct.push(line));
    let (mut list, mut seen) = (Vec::new(), vec![false; lines.len()]);
    for line in direct {
        for &line in lines[line].as_ref()?.iter().chain([&line]) {
            if !std::mem::replace(&mut seen[line], true) {
                list.push(line);
            }
        }
    }
    Some(list)
}
