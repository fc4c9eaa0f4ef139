fn main() {
    println!("{}", tch::Tensor::from_slice(&[1.0, 2.0f64]).sum(tch::Kind::Double).double_value(&[]));
}
