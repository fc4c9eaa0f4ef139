use super::*;

fn lorenz(u: &[f64], du: &mut [f64]) {
    du[0] = 10.0 * (u[1] - u[0]);
    du[1] = u[0] * (28.0 - u[2]) - u[1];
    du[2] = u[0] * u[1] - 8.0 / 3.0 * u[2];
}

fn circle(u: &[f64], du: &mut [f64]) {
    (du[0], du[1]) = (-u[1], u[0]);
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// By mpmath's Taylor series (1.4, `odefun`, 40 digits). An error of 1e-15 at the start grows as `e^{0.9 t}`.
#[test]
fn the_reference_is_lorenz_to_rounding() {
    let all = Method::REFERENCE.series(&lorenz, &[8.0, 1.0, 1.0], 0.01, 2000).unwrap();
    for (time, tolerance, expected) in [
        (1, 1e-12, [-7.537_156_729_723_465, -6.433_154_666_969_836, 27.330_239_156_835_794]),
        (10, 1e-9, [-4.288_889_066_071_673, -5.171_397_316_878_229, 20.232_390_976_701_066]),
        (20, 1e-5, [-4.090_326_364_575_132, -7.490_497_603_865_912, 10.595_104_012_264_434]),
    ] {
        let found = &all[(100 * time - 1) * 3..100 * time * 3];
        let error = distance(found, &expected);
        assert!(error < tolerance, "{error} at {time}");
    }
}

/// SciPy 1.17.1, `solve_ivp(method="RK23")` with its defaults, from the start of Gauthier et al.'s program.
#[test]
fn the_pair_of_orders_3_and_2_is_scipys() {
    let start = [17.677_158_162_766_79, 12.931_379_185_960_404, 43.914_043_342_482_68];
    let all = Method::BogackiShampine { relative: 1e-3, absolute: 1e-6 }.series(&lorenz, &start, 0.025, 600).unwrap();
    for (point, expected) in [
        (1, [15.776_954_954_048_96, 5.682_116_289_234_26, 44.851_946_794_598_796]),
        (40, [-6.093_210_137_308_457, -7.992_663_357_269_05, 20.782_695_623_674_485]),
        (200, [-3.464_829_548_249_355, -5.315_440_823_074_844, 15.813_653_430_091_458]),
    ] {
        let error = distance(&all[(point - 1) * 3..point * 3], &expected);
        assert!(error < 1e-10, "{error} at point {point}");
    }
}

/// Halving the step of a method of order 4 divides the error by 16.
#[test]
fn the_order_of_runge_kutta_is_four() {
    let error = |points: usize| {
        let all = Method::RungeKutta4.series(&circle, &[1.0, 0.0], 4.0 / points as f64, points).unwrap();
        distance(&all[all.len() - 2..], &[4f64.cos(), 4f64.sin()])
    };
    let order = (error(40) / error(80)).log2();
    assert!((3.9..4.1).contains(&order), "{order}");
}

/// `u' = u^2` from 1 has a pole at time 1.
#[test]
fn what_ends_is_reported_with_its_point() {
    let pole = |u: &[f64], du: &mut [f64]| du[0] = u[0] * u[0];
    for method in [Method::REFERENCE, Method::BogackiShampine { relative: 1e-6, absolute: 1e-6 }] {
        let found = method.series(&pole, &[1.0], 0.3, 8).unwrap_err();
        assert_eq!(found, 3, "{method:?}"); // at 0.3, 0.6, 0.9
    }
    assert!(Method::RungeKutta4.series(&pole, &[1.0], 0.3, 80).is_err());
}
