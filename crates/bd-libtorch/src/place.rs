//! [`Place`]: where a libtorch is. For the build script, which is earlier than those of all crates that need one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::version::{VERSION, found_version};

/// The variables that [`Place::find`] reads. They are those of torch-sys, which has to find the same libtorch.
pub(crate) const VARIABLES: [&str; 6] = [
    "LIBTORCH",
    "LIBTORCH_LIB",
    "LIBTORCH_INCLUDE",
    "LIBTORCH_USE_PYTORCH",
    "LIBTORCH_BYPASS_VERSION_CHECK",
    "VIRTUAL_ENV",
];

/// Folders of a libtorch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// What says which version it is.
    pub(crate) home: PathBuf,
    /// Shared libraries.
    pub(crate) lib: PathBuf,
    /// Headers.
    pub(crate) include: PathBuf,
}

impl Place {
    /// The libtorch that torch-sys will find, if it is the right one; otherwise what is wrong, in a line. `system` is where the system's
    /// own would be: `/usr`.
    pub(crate) fn find(variable: impl Fn(&str) -> Option<OsString>, system: &Path) -> Result<Self, String> {
        let is_set = |name| variable(name).is_some();
        let home = if is_set("LIBTORCH_USE_PYTORCH") {
            of_python(if is_set("VIRTUAL_ENV") { "python" } else { "python3" })?
        } else if let Some(home) = variable("LIBTORCH") {
            PathBuf::from(home)
        } else if system.join("lib/libtorch.so").exists() {
            system.to_owned()
        } else {
            let system = system.join("lib").display().to_string();
            return Err(format!("no libtorch: LIBTORCH is not set, and there is none in {system}"));
        };
        let part = |name, folder| {
            let own = variable(name).filter(|_| !is_set("LIBTORCH_USE_PYTORCH"));
            own.map_or_else(|| home.clone(), PathBuf::from).join(folder)
        };
        let place = Self { lib: part("LIBTORCH_LIB", "lib"), include: part("LIBTORCH_INCLUDE", "include"), home };
        if !is_set("LIBTORCH_BYPASS_VERSION_CHECK") && place.home != system {
            place.check()?;
        }
        Ok(place)
    }

    fn check(&self) -> Result<(), String> {
        let home = self.home.display();
        match found_version(&self.home) {
            _ if !self.home.is_absolute() => Err(format!(
                "LIBTORCH is {home}, and has to be a path from the root, for crates are built in different folders"
            )),
            Some(found) if found.split('+').next() == Some(VERSION) => Ok(()),
            Some(found) => Err(format!("found libtorch {found} in {home}, needed {VERSION}")),
            None if self.lib.is_dir() => Err(format!("{home} does not say which libtorch it is, needed {VERSION}")),
            None => Err(format!("no libtorch in {home}")),
        }
    }
}

/// The folder of the package `torch` of a Python.
fn of_python(python: &str) -> Result<PathBuf, String> {
    let text = "import os, torch; print(os.path.dirname(torch.__file__))";
    let done = Command::new(python).args(["-c", text]).output();
    let done = done.map_err(|error| format!("LIBTORCH_USE_PYTORCH is set, and {python} cannot be started: {error}"))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let last = said.lines().last().unwrap_or_default();
        return Err(format!("LIBTORCH_USE_PYTORCH is set, and {python} has no torch: {last}"));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&done.stdout).trim()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A folder that looks like the libtorch of a wheel.
    fn wheel(version: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("version.py"), format!("__version__ = '{version}'\n")).unwrap();
        folder
    }

    fn find(variables: &[(&str, &Path)], system: &Path) -> Result<Place, String> {
        let value = |name: &str| {
            assert!(VARIABLES.contains(&name), "a change of {name} would go unseen");
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
        };
        Place::find(value, system)
    }

    #[test]
    fn libtorch_is_where_the_variables_say() {
        let (folder, other) = (wheel(&format!("{VERSION}+cpu")), Path::new("/other"));
        let home = folder.path();
        let place = Place { home: home.into(), lib: home.join("lib"), include: home.join("include") };
        assert_eq!(find(&[("LIBTORCH", home)], other), Ok(place));
        let apart = find(&[("LIBTORCH", home), ("LIBTORCH_LIB", other), ("LIBTORCH_INCLUDE", other)], other).unwrap();
        assert_eq!((apart.lib, apart.include), (other.join("lib"), other.join("include")));
    }

    #[test]
    fn the_systems_own_is_taken_as_it_is() {
        let system = tempfile::tempdir().unwrap();
        let nothing = find(&[], system.path()).unwrap_err();
        assert!(nothing.contains("LIBTORCH is not set") && nothing.contains(system.path().to_str().unwrap()));
        fs::create_dir(system.path().join("lib")).unwrap();
        fs::write(system.path().join("lib/libtorch.so"), "").unwrap();
        assert_eq!(find(&[], system.path()).unwrap().lib, system.path().join("lib"));
    }

    #[test]
    fn errors_name_what_was_found() {
        let (old, empty) = (wheel("2.3.1+cu121"), tempfile::tempdir().unwrap());
        let why = |home: &Path| find(&[("LIBTORCH", home)], Path::new("/none")).unwrap_err();
        assert!(why(old.path()).contains("found libtorch 2.3.1+cu121"));
        assert!(why(empty.path()).starts_with("no libtorch in "));
        assert!(why(Path::new("libtorch")).contains("a path from the root"));
        fs::remove_file(old.path().join("version.py")).unwrap();
        assert!(why(old.path()).contains("does not say which libtorch it is"));
        let bypass = [("LIBTORCH", old.path()), ("LIBTORCH_BYPASS_VERSION_CHECK", Path::new("1"))];
        assert!(find(&bypass, Path::new("/none")).is_ok());
    }
}
