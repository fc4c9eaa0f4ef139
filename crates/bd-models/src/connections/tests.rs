//! Signs, zeros and balance of the initial weights, against their definitions and the theory of random matrices.

use bd_core::Params;

use super::*;

const ON: (Kind, Device) = (Kind::Double, Device::Cpu);

fn made(connections: Connections, n: i64) -> Tensor {
    connections.check("rnn", n, Init::XavierNormal).unwrap();
    let mut params = Params::new(3, ON);
    connections.weight(&mut params.at("r"), "recurrent_weight", n, Init::XavierNormal).unwrap().value().detach()
}

fn largest_eigenvalue(weights: &Tensor) -> f64 {
    weights.linalg_eigvals().abs().max().double_value(&[])
}

#[test]
fn rows_have_signs_and_columns_are_balanced() {
    for (density, autapses) in [(1.0, true), (1.0, false), (0.4, true)] {
        let weights = made(Connections { excitatory: Some(0.8), density, autapses }, 50);
        assert!(weights.narrow(0, 0, 40).min().double_value(&[]) >= 0.0);
        assert!(weights.narrow(0, 40, 10).max().double_value(&[]) <= 0.0);
        let sums = weights.sum_dim_intlist([0i64].as_slice(), false, Kind::Double);
        assert!(sums.abs().max().double_value(&[]) < 1e-13, "inhibition as strong as excitation");
        let zeros = weights.eq(0.0);
        assert_eq!(zeros.diagonal(0, 0, 1).all().int64_value(&[]) == 1, !autapses);
        let share = 1.0 - zeros.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        let there = if autapses { density } else { density * (1.0 - 1.0 / 50.0) };
        // Five standard errors of a share of 2500 connections.
        assert!(
            (share - there).abs()
                <= 5.0 * (there * (1.0 - there) / 2500.0).sqrt() * f64::from(u8::from(density < 1.0)) + 1e-12,
            "{share}"
        );
    }
}

/// The spectral radius of normal weights of variance `1/n` tends to 1 (the circular law; of 200 units it is up to 1.25 in a dozen draws of numpy). Signs and missing
/// connections leave it there. Without the balance, a mean `m` of the same weights alone has the eigenvalue `m n (2 f - 1)`: with `f` = 0.8 and
/// half-normal weights of variance `1/n` that is `0.6 sqrt(2 n / pi)`, 6.8.
#[test]
fn no_eigenvalue_is_far_from_the_others() {
    let n = 200;
    for (excitatory, density) in [(None, 1.0), (None, 0.2), (Some(0.8), 1.0), (Some(0.8), 0.2), (Some(0.5), 0.5)] {
        let weights = made(Connections { excitatory, density, autapses: true }, n);
        let found = largest_eigenvalue(&weights);
        assert!((0.8..1.4).contains(&found), "{excitatory:?}, {density}: {found}");
    }
    let free = made(Connections::ALL, n);
    let unbalanced = free.abs() * column(&signs(160, n));
    let expected = 0.6 * (2.0 * n as f64 / std::f64::consts::PI).sqrt();
    assert!((largest_eigenvalue(&unbalanced) / expected - 1.0).abs() < 0.1);
}

/// By hand: excitation 1 + 2 and inhibition 4 in the first column, 3 + 1 and 0 in the second.
#[test]
fn a_column_without_inhibition_stays() {
    let mut weights = vec![1.0, -3.0, 7.0, 2.0, 1.0, 0.0, -4.0, 0.0, 5.0];
    balance(&mut weights, &[1.0, 1.0, -1.0]);
    assert_eq!(weights, [1.0, 3.0, 7.0, 2.0, 1.0, 0.0, -3.0, -0.0, -7.0]);
}

/// By hand: rows of one sign 1, 3 and inhibition -2, -4: variances 1 and 1.
#[test]
fn the_radius_is_its_formula() {
    assert_eq!(radius(&[1.0, 3.0, -2.0, -4.0], Some(&[1.0, -1.0])), 2.0f64.sqrt());
    assert_eq!(radius(&[1.0, 3.0, -2.0, -4.0], None), (2.0f64 * 30.0 / 4.0).sqrt());
}

#[test]
fn what_cannot_be_is_refused() {
    let all = Connections::ALL;
    let refused = |connections: Connections, n, init| connections.check("rnn", n, init).unwrap_err().to_string();
    let xavier = Init::XavierNormal;
    for (excitatory, n, words) in [
        (0.0, 10, "rnn.excitatory is 0; it must be above 0 and below 1"),
        (1.0, 10, "rnn.excitatory is 1; it must be above 0 and below 1"),
        (f64::NAN, 10, "rnn.excitatory is NaN; it must be above 0 and below 1"),
        (
            0.8,
            2,
            "rnn.excitatory is 0.8: of 2 units 2 excite and 0 inhibit, and there must be one of each at least; take more units or another share",
        ),
    ] {
        assert_eq!(refused(Connections { excitatory: Some(excitatory), ..all }, n, xavier), words);
    }
    for density in [0.0, 1.1, f64::NAN] {
        let words = format!("rnn.density is {density}; it must be above 0 and at most 1");
        assert_eq!(refused(Connections { density, ..all }, 10, xavier), words);
    }
    assert_eq!(
        refused(Connections { autapses: false, ..all }, 1, xavier),
        "rnn.autapses is false: of 1 unit no connection is left; take more units"
    );
    assert_eq!(
        refused(Connections { excitatory: Some(0.8), ..all }, 10, Init::Zeros),
        "rnn.recurrent_init is zeros: where signs are kept, a weight that begins at 0 has no gradient; take another one"
    );
}
