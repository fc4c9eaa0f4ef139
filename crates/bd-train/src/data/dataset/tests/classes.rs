//! Labels that are text, and names of classes.

use bd_core::Text;
use bd_core::npz::save_npz_with_text;

use super::*;

/// A file of four or fewer samples with these members of text and of numbers beside `x`.
fn file(folder: &Path, texts: &[(&str, &[&str])], numbers: &[(&str, Tensor)]) -> std::path::PathBuf {
    let path = folder.join("named.npz");
    let owned: Vec<(&str, Vec<String>)> =
        texts.iter().map(|(name, items)| (*name, items.iter().map(|item| (*item).to_owned()).collect())).collect();
    let texts: Vec<(&str, &[String])> = owned.iter().map(|(name, items)| (*name, &items[..])).collect();
    let numbers: Vec<_> = numbers.iter().map(|(name, array)| ((*name).to_owned(), array.shallow_clone())).collect();
    save_npz_with_text(&path, &numbers, &texts).unwrap();
    path
}

fn x(count: i64) -> Tensor {
    Tensor::ones([count, 3, 1], F64)
}

fn labels(part: &Subset) -> Vec<i64> {
    Vec::try_from(&part.targets).unwrap()
}

fn names(data: &Dataset) -> Vec<&str> {
    data.classes.iter().flatten().map(String::as_str).collect()
}

#[test]
fn labels_that_are_text_are_numbered_by_their_letters() {
    let folder = tempfile::tempdir().unwrap();
    let texts: [(&str, &[&str]); 2] = [("y_train", &["rest", "left", "right", "left"]), ("y_test", &["right", "rest"])];
    let path = file(folder.path(), &texts, &[("x_train", x(4)), ("x_test", x(2))]);
    let reading = Reading::new(Accept::Numbers);
    let data = Dataset::read(&path, &reading).unwrap();
    assert_eq!((names(&data), data.targets), (vec!["left", "rest", "right"], Targets::Labels { classes: 3 }));
    assert_eq!((labels(&data.train), labels(&data.test)), (vec![1, 0, 2, 0], vec![2, 1]));
    // In the order that the file has for them, and of all that it names.
    let order: [&[&str]; 2] = [&["rest", "right", "left", "up"], &["rest", "right"]];
    let with = |order| [texts[0], texts[1], ("classes", order)];
    let path = file(folder.path(), &with(order[0]), &[("x_train", x(4)), ("x_test", x(2))]);
    let data = Dataset::read(&path, &reading).unwrap();
    assert_eq!(
        (names(&data), labels(&data.train), labels(&data.test)),
        (order[0].to_vec(), vec![0, 2, 1, 2], vec![1, 0])
    );
    assert_eq!(data.targets, Targets::Labels { classes: 4 });
    let prepared = Prepared::new(data, &Identity::new(F64), HoldOut { fraction: 0.0, seed: 0, members: 1 }).unwrap();
    assert!(prepared.notes[0].contains("no sample of up; the network has an output for each"), "{:?}", prepared.notes);
    // Names that do not name all labels are none of theirs.
    let path = file(folder.path(), &with(order[1]), &[("x_train", x(4)), ("x_test", x(2))]);
    assert_eq!(names(&Dataset::read(&path, &reading).unwrap()), ["left", "rest", "right"]);
    let unknown: [(&str, &[&str]); 2] = [texts[0], ("y_test", &["right", "up"])];
    let path = file(folder.path(), &unknown, &[("x_train", x(4)), ("x_test", x(2))]);
    let error = Dataset::read(&path, &reading).unwrap_err().to_string();
    assert!(error.contains(r#"y_test has the class "up", but y_train has only left, rest, right"#), "{error}");
}

#[test]
fn numbers_have_the_names_that_the_file_has_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let y = Tensor::from_slice(&[0i64, 1, 1, 0, 0, 1]);
    let reading = Reading::new(Accept::Numbers);
    let numbers = [("x", x(6)), ("y", y)];
    let path = file(folder.path(), &[("class_names", &["rest", "left"])], &numbers);
    assert_eq!(names(&Dataset::read(&path, &reading).unwrap()), ["rest", "left"]);
    let path = file(folder.path(), &[("class_names", &["rest"])], &numbers);
    let data = Dataset::read(&path, &reading).unwrap();
    assert!(
        data.classes.is_none()
            && data.notes[0].contains("the 1 names of classes are not used, for there are 2 classes")
    );
}

/// A trained model has its own numbers for classes, whatever another file has.
#[test]
fn labels_of_another_file_are_those_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let known = ["left", "rest", "right"].map(str::to_owned);
    let read = |texts: &[(&str, &[&str])], y: Option<&[i64]>, classes| {
        let mut numbers = vec![("x", x(2))];
        numbers.extend(y.map(|y| ("y", Tensor::from_slice(y))));
        let learned =
            Learned { channels: 1, targets: Targets::Labels { classes: 3 }, classes, binning: None, arrays: None };
        Dataset::read_test(&file(folder.path(), texts, &numbers), Accept::Numbers, &learned).map(|part| labels(&part))
    };
    let some = Some(&known[..]);
    assert_eq!(read(&[("y", &["right", "left"])], None, some).unwrap(), [2, 0]);
    assert_eq!(read(&[("class_names", &["right", "rest", "up"])], Some(&[0, 1]), some).unwrap(), [2, 1]);
    let error = read(&[("class_names", &["right"])], Some(&[0, 1]), some).unwrap_err().to_string();
    let words = "y has the label 1, but its names of classes are only right, and the run has learned left, rest, right; name every";
    assert!(error.contains(words), "{error}");
    assert_eq!(read(&[], Some(&[0, 1]), some).unwrap(), [0, 1]);
    let error = read(&[("class_names", &["up", "rest"])], Some(&[0, 1]), some).unwrap_err().to_string();
    assert!(error.contains(r#"y has the class "up", but the run has learned only left, rest, right"#), "{error}");
    let error = read(&[("y", &["right", "left"])], None, None).unwrap_err().to_string();
    assert!(
        error.contains("y is text, but the run has learned labels of sequences, of 0 to 2, without names"),
        "{error}"
    );
}

/// What is written where a sequence has ended is no class.
#[test]
fn text_in_padding_is_no_class() {
    let all = Text { shape: vec![2, 2], items: ["go", "stop", "go", ""].map(str::to_owned).to_vec() };
    let numbers =
        vec![("x".to_owned(), Tensor::ones([2, 2, 1], F64)), ("len".to_owned(), Tensor::from_slice(&[2i64, 1]))];
    let arrays = Arrays::new(Path::new("a.npz"), numbers).with_text("y", all);
    let part =
        Reader { arrays: &arrays, accept: Accept::Numbers, targets_of: None }.part("", "training", None).unwrap();
    assert_eq!(
        (part.names.unwrap(), part.targets),
        (vec!["go".to_owned(), "stop".into()], Targets::LabelsOfSteps { classes: 2 })
    );
    assert_eq!(labels(&Subset { targets: part.subset.targets.flatten(0, -1), ..part.subset }), [0, 1, 0, 0]);
}

/// Subjects have names more often than numbers.
#[test]
fn groups_may_be_text() {
    let folder = tempfile::tempdir().unwrap();
    let numbers = [("x", x(6)), ("y", Tensor::from_slice(&[0i64, 1, 1, 0, 0, 1]))];
    let path = file(folder.path(), &[("subject", &["b", "a", "b", "c", "a", "c"])], &numbers);
    let data =
        Dataset::read(&path, &Reading { group: Some("subject".into()), ..Reading::new(Accept::Numbers) }).unwrap();
    let (train, test) = (data.train.groups.unwrap(), data.test.groups.unwrap());
    assert!(test.len() == 2 && test[0] == test[1] && !train.contains(&test[0]), "{train:?} {test:?}");
}

/// The run has learned rest as 0 and move as 1; the other file numbers them the other way round, and has anything in padding.
#[test]
fn labels_of_steps_are_those_of_their_names_whatever_stands_in_padding() {
    let folder = tempfile::tempdir().unwrap();
    let known = ["rest", "move"].map(str::to_owned);
    let learned = Learned {
        channels: 1,
        targets: Targets::LabelsOfSteps { classes: 2 },
        classes: Some(&known[..]),
        binning: None,
        arrays: None,
    };
    for other in [255.0, 0.0, 1.0, -1.0, f64::NAN] {
        let y = Tensor::from_slice(&[0.0, 1.0, other, 1.0, other, other]).reshape([2, 3]);
        let whole = y.nan_to_num(255.0, None, None).to_kind(Kind::Int64);
        for y in [y, whole] {
            let numbers = [("x", x(2)), ("len", Tensor::from_slice(&[2i64, 1])), ("y", y)];
            let path = file(folder.path(), &[("classes", &["move", "rest"])], &numbers);
            let found = Dataset::read_test(&path, Accept::Numbers, &learned).unwrap();
            let labels = found.valid_steps(&found.targets.unsqueeze(2)).flatten(0, -1);
            assert_eq!(labels, Tensor::from_slice(&[1i64, 0, 0]), "{other}");
        }
    }
    // Padding has no class, also where its number is that of one which the run has not learned.
    let y = Tensor::from_slice(&[1i64, 2, 0, 1, 0, 0]).reshape([2, 3]);
    let numbers = [("x", x(2)), ("len", Tensor::from_slice(&[2i64, 1])), ("y", y)];
    let path = file(folder.path(), &[("classes", &["up", "move", "rest"])], &numbers);
    let found = Dataset::read_test(&path, Accept::Numbers, &learned).unwrap();
    assert_eq!(found.valid_steps(&found.targets.unsqueeze(2)).flatten(0, -1), Tensor::from_slice(&[1i64, 0, 1]));
}
