//! [`FLOWS`]: every system with its equations and usual settings. The next one is one more entry.

use super::{Flow, Method, Rule, Variables, equations, kuramoto_sivashinsky, mackey_glass};

/// All systems.
pub static FLOWS: [Flow; 6] = [
    Flow {
        name: "lorenz",
        equations: "x' = sigma (y - x), y' = x (rho - z) - y, z' = x y - beta z",
        // Exponent: Sprott, "Chaos and Time-Series Analysis" (2003). Start: BrainPy 2.2.4.
        source: "Lorenz 1963",
        params: &[("sigma", 10.0), ("rho", 28.0), ("beta", 8.0 / 3.0)],
        variables: Variables::Named(&[("x", 8.0), ("y", 1.0), ("z", 1.0)]),
        dt: 0.01,
        transient: 20.0,
        lyapunov_exponent: 0.9056,
        rule: Rule::Ordinary { derivative: equations::lorenz, tangent: equations::lorenz, method: Method::RungeKutta4 },
        check: |_| Ok(()),
    },
    Flow {
        name: "rossler",
        equations: "x' = -y - z, y' = x + a y, z' = b + z (x - c)",
        // Exponent: Sprott (2003).
        source: "Roessler 1976",
        params: &[("a", 0.2), ("b", 0.2), ("c", 5.7)],
        variables: Variables::Named(&[("x", -9.0), ("y", 0.0), ("z", 0.0)]),
        dt: 0.05,
        transient: 100.0,
        lyapunov_exponent: 0.0714,
        rule: Rule::Ordinary {
            derivative: equations::rossler,
            tangent: equations::rossler,
            method: Method::RungeKutta4,
        },
        check: |_| Ok(()),
    },
    Flow {
        name: "double-scroll",
        equations: "V1' = V1/r1 - g, V2' = g - I, I' = V2 - r4 I with dV = V1 - V2, g = dV/r2 + 2 ir sinh(alpha dV)",
        // Values and start: Gauthier et al., "Next generation reservoir computing", Nat. Commun. 12 (2021). Their exponent, 0.128, is
        // an estimate from a series; see the tests of `lyapunov`.
        source: "Gauthier et al. 2021",
        params: &[("r1", 1.2), ("r2", 3.44), ("r4", 0.193), ("ir", 2.25e-5), ("alpha", 11.6)],
        variables: Variables::Named(&[("V1", 0.379_265_45), ("V2", 0.058_339), ("I", -0.081_676_91)]),
        dt: 0.25,
        transient: 50.0,
        lyapunov_exponent: 0.090,
        rule: Rule::Ordinary {
            derivative: equations::double_scroll,
            tangent: equations::double_scroll,
            method: Method::REFERENCE,
        },
        check: |_| Ok(()),
    },
    Flow {
        name: "lorenz96",
        equations: "x_i' = (x_(i+1) - x_(i-2)) x_(i-1) - x_i + forcing, i = 0 .. n-1 in a ring",
        source: "Lorenz 1996; Lorenz and Emanuel 1998",
        params: &[("n", 40.0), ("forcing", 8.0)],
        variables: Variables::Sites { name: "x", start: equations::lorenz96_start },
        dt: 0.05,
        transient: 50.0,
        // From the growth of a small difference over 2e4 units of time, by a program apart from this one. Lorenz and Emanuel's doubling
        // time of 2.1 days, 0.42, is 1.65.
        lyapunov_exponent: 1.693,
        rule: Rule::Ordinary {
            derivative: equations::lorenz96,
            tangent: equations::lorenz96,
            method: Method::REFERENCE,
        },
        check: |params| super::whole("n", params[0], 4, 10_000),
    },
    Flow {
        name: "mackey-glass",
        equations: "x' = a x(t - tau) / (1 + x(t - tau)^n) - b x, x(t) = x(0) for t < 0",
        source: "Mackey and Glass 1977",
        params: &[("a", 0.2), ("b", 0.1), ("n", 10.0), ("tau", 17.0)],
        variables: Variables::Named(&[("x", 1.2)]),
        dt: 1.0,
        transient: 1000.0,
        // From the growth of a small difference over 2e6 units of time, by a program apart from this one: 0.00514.
        lyapunov_exponent: 0.0051,
        rule: Rule::Delay,
        check: mackey_glass::check,
    },
    Flow {
        name: "kuramoto-sivashinsky",
        equations: "u_t = -u u_x - u_xx - u_xxxx on a ring of this length, n points of it",
        // Exponent: Edson, Bunder, Mattner, Roberts, "Lyapunov exponents of the Kuramoto-Sivashinsky PDE", ANZIAM J. 61 (2019).
        source: "Kuramoto 1978, Sivashinsky 1977; start and method Kassam and Trefethen 2005",
        params: &[("n", 64.0), ("length", 22.0)],
        variables: Variables::Sites { name: "u", start: kuramoto_sivashinsky::start },
        dt: 0.25,
        transient: 250.0,
        lyapunov_exponent: 0.043,
        rule: Rule::KuramotoSivashinsky,
        check: kuramoto_sivashinsky::check,
    },
];
