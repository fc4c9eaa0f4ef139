fn run<F: bd_kernel::Real>(network: &bd_networks::Network, threads: usize, steps: u64) {
    let begin = std::time::Instant::now();
    let mut s = bd_networks::Simulation::<F>::new(network, 1, threads, &|_| Err(String::new()), &|_| Err(String::new())).unwrap();
    let built = begin.elapsed().as_secs_f64();
    let begin = std::time::Instant::now();
    s.advance(steps);
    let ran = begin.elapsed().as_secs_f64();
    println!("{} bytes, {threads} threads: built {built:.3} s, {} synapses, ran {ran:.4} s", size_of::<F>(), s.synapses());
    let r = s.recording();
    for spikes in &r.spikes {
        let n = network.populations[network.population(&spikes.population).unwrap()].n;
        println!("  {} {:?}", spikes.population, bd_networks::Activity::of(spikes.spikes.iter().copied(), n, 0, r.steps, network.dt_ms));
    }
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let network = bd_networks::Network::parse(&std::fs::read_to_string(&args[1]).unwrap()).unwrap();
    let steps = args[2].parse().unwrap();
    for threads in [1, 2] {
        run::<f64>(&network, threads, steps);
        run::<f32>(&network, threads, steps);
    }
}
