use super::*;

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// The classic Runge-Kutta method converges to the reference with order 4, and a second solution is one of the same equations.
#[test]
fn two_solvers_agree() {
    for flow in &FLOWS {
        let (params, coarse) = (flow.usual_params(), flow.dt / 8.0);
        let start = flow.start(&params);
        let at_end = |method, halvings: u32| {
            let (dt, points) = (coarse / 2f64.powi(halvings as i32), 40 << halvings);
            flow.series_by(method, &params, &start, dt, points).map(|all| Vec::<f64>::try_from(all.get(-1)).unwrap())
        };
        if let Some(second) =
            flow.second_solution(None, &params, &Tensor::from_slice(&start).unsqueeze(0), coarse, 40).unwrap()
        {
            let second = Vec::<f64>::try_from(second.get(0).get(-1)).unwrap();
            let apart = distance(&at_end(None, 0).unwrap(), &second);
            assert!((1e-16..2e-5).contains(&apart), "{}: {apart}", flow.name);
        }
        let Ok(exact) = at_end(Some(Method::REFERENCE), 0) else { continue };
        let error = |halvings| distance(&at_end(Some(Method::RungeKutta4), halvings).unwrap(), &exact);
        let order = (error(1) / error(2)).log2();
        assert!((3.7..4.5).contains(&order), "{}: order {order}", flow.name);
    }
}

/// Right-hand sides by hand. Lorenz-96: at rest all derivatives vanish.
#[test]
fn the_equations() {
    let slope = |name: &str, u: &[f64]| {
        let flow = Flow::named(name).unwrap();
        let Rule::Ordinary { derivative, .. } = flow.rule else { panic!("{name} is one") };
        let mut du = vec![0.0; u.len()];
        let mut params = flow.usual_params();
        if name == "lorenz96" {
            params[0] = u.len() as f64;
        }
        derivative(&params, u, &mut du);
        du
    };
    assert_eq!(slope("lorenz96", &[8.0; 5]), [0.0; 5]);
    // x_0' = (x_1 - x_3) x_4 - x_0 + 8 and so on, of five.
    assert_eq!(
        slope("lorenz96", &[1.0, 2.0, 3.0, 4.0, 5.0])[..2],
        [(2.0 - 4.0) * 5.0 - 1.0 + 8.0, (3.0 - 5.0) * 1.0 - 2.0 + 8.0]
    );
    let (v1, v2, i) = (0.5, -0.1, 0.2);
    let g = 0.6 / 3.44 + 2.0 * 2.25e-5 * (11.6f64 * 0.6).sinh();
    let expected = [v1 / 1.2 - g, g - i, v2 - 0.193 * i];
    assert!(distance(&slope("double-scroll", &[v1, v2, i]), &expected) < 1e-15);
}

#[test]
fn params_are_changed_by_name() {
    let lorenz96 = Flow::named("lorenz96").unwrap();
    let params = lorenz96.params_with([("n", 5.0)]).unwrap();
    assert_eq!((params[1], lorenz96.channels(&params).len(), lorenz96.start(&params).len()), (8.0, 5, 5));
    for (name, value, words) in [
        ("m", 1.0, "lorenz96 has no parameter 'm'; it has: n, forcing"),
        ("n", 3.0, "n is 3; it must be a whole number from 4"),
        ("n", 4.5, "n is 4.5; it must be a whole number"),
        ("forcing", f64::NAN, "forcing is NaN"),
    ] {
        let error = lorenz96.params_with([(name, value)]).unwrap_err().to_string();
        assert!(error.contains(words), "{words:?} not in: {error}");
    }
    assert!(Flow::named("kuramoto-sivashinsky").unwrap().params_with([("n", 9.0)]).is_err());
}

#[test]
fn what_cannot_be_is_refused() {
    let lorenz = Flow::named("lorenz").unwrap();
    for (params, start, dt, points, words) in [
        (vec![10.0], vec![1.0; 3], 0.01, 10, "3 parameters, got 1"),
        (vec![10.0, 28.0, 2.0], vec![1.0], 0.01, 10, "3 start values, got 1"),
        (vec![10.0, 28.0, 2.0], vec![1.0; 3], 0.0, 10, "dt is 0;"),
        (vec![10.0, 28.0, 2.0], vec![1.0; 3], 0.01, 0, "points is 0; it must be 1 to"),
        (vec![10.0, 28.0, 2.0], vec![1.0; 3], 1.0, 100, "not finite: point"),
    ] {
        let error = lorenz.series(&params, &start, dt, points).unwrap_err().to_string();
        assert!(error.contains(words), "{words:?} not in: {error}");
    }
    assert!(Flow::named("lorentz").unwrap_err().to_string().contains("lorenz, rossler"));
}
