//! The traps of a hand-made graph node. Each crashed or lied in a naive version.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tch::{Device, Kind, Tensor};

use super::*;
use crate::testing::{assert_close, grad_check};

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

fn leaf(values: &[f64]) -> Tensor {
    Tensor::from_slice(values).set_requires_grad(true)
}

/// `(a * b, sin(a))`, with its backward by hand.
fn product_and_sine(a: &Tensor, b: &Tensor) -> [Tensor; 2] {
    let (x, y) = (a.detach(), b.detach());
    let outputs = [&x * &y, x.sin()];
    attach(&[a, b], &[&outputs[0], &outputs[1]], move |grads| {
        let of_product = grads[0].as_ref();
        let of_sine = grads[1].as_ref();
        let da = match (of_product, of_sine) {
            (Some(p), Some(s)) => Some(p * &y + s * x.cos()),
            (Some(p), None) => Some(p * &y),
            (None, Some(s)) => Some(s * x.cos()),
            (None, None) => None,
        };
        Ok(vec![da, of_product.map(|p| p * &x)])
    })
    .unwrap();
    outputs
}

fn gradients(loss: &Tensor, inputs: &[&Tensor], keep: bool, create: bool) -> Result<Vec<Tensor>> {
    Ok(Tensor::f_run_backward(&[loss], inputs, keep, create)?)
}

#[test]
fn several_inputs_and_outputs_with_any_gradients_absent() {
    let a = Tensor::from_slice(&[0.3, -1.1, 2.0]);
    let b = Tensor::from_slice(&[1.5, 0.2, -0.7]);
    for which in 1..4 {
        let loss = |v: &[Tensor]| {
            let [product, sine] = product_and_sine(&v[0], &v[1]);
            let of_product = (&product * &product).sum(Kind::Double);
            let of_sine = (&sine * 3.0).sum(Kind::Double);
            match which {
                1 => of_product,
                2 => of_sine + v[1].sum(Kind::Double),
                _ => of_product + of_sine,
            }
        };
        grad_check(loss, &[a.copy(), b.copy()], 1e-8);
    }
    // An input that asks for nothing gets nothing, and the other its own.
    let (x, y) = (leaf(&[0.3]), Tensor::from_slice(&[2.0]));
    let [product, _] = product_and_sine(&x, &y);
    assert_eq!(gradients(&product.sum(Kind::Double), &[&x], false, false).unwrap()[0].double_value(&[0]), 2.0);
}

#[test]
fn it_composes_with_libtorchs_own_operations() {
    let a = leaf(&[0.3, -1.1]);
    let b = leaf(&[1.5, 0.2]);
    let by_hand = |a: &Tensor, b: &Tensor| {
        let [p, s] = product_and_sine(&a.exp(), &(b * b));
        let [q, _] = product_and_sine(&p, &s);
        (q.tanh() * a).sum(Kind::Double)
    };
    let by_torch = |a: &Tensor, b: &Tensor| {
        let (x, y) = (a.exp(), b * b);
        ((&x * y * x.sin()).tanh() * a).sum(Kind::Double)
    };
    let found = gradients(&by_hand(&a, &b), &[&a, &b], false, false).unwrap();
    let expected = gradients(&by_torch(&a, &b), &[&a, &b], false, false).unwrap();
    for (found, expected) in found.iter().zip(&expected) {
        assert_close("gradient", found, expected, 4e-15);
    }
}

#[test]
fn a_second_backward_is_refused_unless_the_graph_was_kept() {
    let (a, b) = (leaf(&[0.3]), leaf(&[2.0]));
    let loss = product_and_sine(&a, &b)[0].sum(Kind::Double);
    let kept = gradients(&loss, &[&a], true, false).unwrap();
    let again = gradients(&loss, &[&a], false, false).unwrap();
    assert_eq!(kept[0], again[0]);
    let error = gradients(&loss, &[&a], false, false).unwrap_err().to_string();
    assert!(error.contains("a second time"), "{error}");
}

#[test]
fn a_gradient_of_a_gradient_is_refused() {
    let (a, b) = (leaf(&[0.3]), leaf(&[2.0]));
    let loss = product_and_sine(&a, &b)[0].sum(Kind::Double);
    let error = gradients(&loss, &[&a], true, true).unwrap_err().to_string();
    assert!(error.contains("gradient of a gradient"), "{error}");
}

#[test]
fn an_output_that_was_edited_in_place_is_refused() {
    let (a, b) = (leaf(&[0.3]), leaf(&[2.0]));
    let [product, sine] = product_and_sine(&a, &b);
    {
        let _guard = tch::no_grad_guard();
        let _ = sine.shallow_clone().fill_(7.0);
    }
    let error = gradients(&(product + sine).sum(Kind::Double), &[&a], false, false).unwrap_err().to_string();
    assert!(error.contains("output 1") && error.contains("edited in place"), "{error}");
}

#[test]
fn an_error_or_a_panic_inside_becomes_an_error_outside() {
    let failing = |backward: fn(&[Option<Tensor>]) -> Result<Gradients>| {
        let a = leaf(&[0.3]);
        let y = a.detach() * 2.0;
        attach(&[&a], &[&y], backward).unwrap();
        gradients(&y.sum(Kind::Double), &[&a], false, false).unwrap_err().to_string()
    };
    let error = failing(|_| Err(Error::Config("no such thing".into())));
    assert!(error.contains("no such thing"), "{error}");
    let error = failing(|_| panic!("a bug inside"));
    assert!(error.contains("panicked: a bug inside"), "{error}");
    let error = failing(|grads| Ok(vec![grads[0].as_ref().map(|g| g.matmul(g)), None]));
    assert!(error.contains("2 gradients for 1 inputs"), "{error}");
    let error = failing(|_| Ok(vec![Some(Tensor::zeros([7], ON))]));
    assert!(error.contains("shape [7] for input 0 of shape [1]"), "{error}");
}

/// Counts how many of its copies are alive.
struct Witness(Arc<AtomicUsize>);

impl Witness {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn what_the_closure_holds_goes_with_the_graph() {
    let alive = Arc::new(AtomicUsize::new(0));
    let attached = |a: &Tensor| {
        let y = a.detach() * 2.0;
        let (witness, seen) = (Witness::new(&alive), y.detach());
        attach(&[a], &[&y], move |grads| {
            let _ = (&witness, &seen);
            Ok(vec![grads[0].as_ref().map(|g| g * 2.0)])
        })
        .unwrap();
        y
    };
    let count = || alive.load(Ordering::SeqCst);

    let a = leaf(&[1.0]);
    let y = attached(&a);
    assert_eq!(count(), 1);
    drop(y);
    assert_eq!(count(), 0, "without a backward, with the last output");

    let y = attached(&a);
    gradients(&y.sum(Kind::Double), &[&a], false, false).unwrap();
    assert_eq!(count(), 0, "with the backward that frees the graph");
    drop(y);

    let y = {
        let _guard = tch::no_grad_guard();
        attached(&a)
    };
    assert!(count() == 0 && !y.requires_grad(), "at once where nothing is recorded");
    let y = attached(&Tensor::from_slice(&[1.0]));
    assert!(count() == 0 && !y.requires_grad(), "at once where no input asks");
}

#[test]
fn derivatives_by_recomputation_inside_the_closure() {
    let a = Tensor::from_slice(&[0.3, -1.2]);
    let recomputed = |v: &[Tensor]| {
        let x = v[0].detach();
        let y = x.exp().sin();
        attach(&[&v[0]], &[&y], move |grads| {
            let grad = grads[0].as_ref().expect("the only output");
            // Grad mode is off in here; a graph of its own needs it on.
            let (x, y) = tch::with_grad(|| {
                let x = x.copy().set_requires_grad(true);
                let y = x.exp().sin();
                (x, y)
            });
            let inner = tch::with_grad(|| (y * grad).sum(Kind::Double));
            Ok(Tensor::f_run_backward(&[inner], &[x], false, false)?.into_iter().map(Some).collect())
        })
        .unwrap();
        y.sum(Kind::Double)
    };
    grad_check(recomputed, &[a], 1e-8);
}

#[test]
fn outputs_of_a_graph_are_not_taken_over() {
    let a = leaf(&[0.3]);
    let y = &a * 2.0;
    let error = attach(&[&a], &[&y], |grads| Ok(vec![grads[0].as_ref().map(Tensor::copy)])).unwrap_err().to_string();
    assert!(error.contains("output 0 is part of a graph already"), "{error}");
}

/// libtorch refuses that for its own operations; a backward that reads memory again must not read what came later.
#[test]
fn what_was_saved_and_then_edited_is_refused() {
    let x = Tensor::from_slice(&[1.0f64, 2.0]).set_requires_grad(true);
    let mut y = &x * 3.0;
    let z = y.detach().square();
    let saved = y.detach();
    attach_saving(&[&y], &[&z], &[&y], move |g| Ok(vec![g[0].as_ref().map(|g| g * &saved * 2.0)])).unwrap();
    y += 1.0;
    let message = z.sum(Kind::Double).f_backward().unwrap_err().to_string();
    assert!(message.contains("input 0 of an operation with a hand-written backward was edited in place"), "{message}");
}
