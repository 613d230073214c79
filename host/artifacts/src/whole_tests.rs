use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::CWD;

use super::*;

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_are_replaced_with_their_mode_and_leave_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    for (access, draft, expected) in [
        (Access::Owner, Draft::Unique, 0o600),
        (Access::Owner, Draft::Locked, 0o600),
        (Access::As(Permissions::from_mode(0o640)), Draft::Locked, 0o640),
        (Access::As(Permissions::from_mode(0o604)), Draft::Unique, 0o604),
    ] {
        // A crash left this.
        fs::write(home.path().join("file.tmp"), "half").unwrap();
        let written = replace_file(&file, expected.to_string().as_bytes(), &access, draft).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), expected.to_string());
        assert_eq!((mode(), written.metadata().unwrap().len()), (expected, 3), "{access:?} {draft:?}");
        let _ = fs::remove_file(home.path().join("file.tmp"));
        assert_eq!(names(home.path()), ["file"]);
    }
    let taken = create_file(&file, b"other", &Access::Owner).unwrap_err();
    assert_eq!((taken.kind(), fs::read(&file).unwrap().len()), (io::ErrorKind::AlreadyExists, 3));
    // A directory in the way is an error and stays.
    fs::create_dir(home.path().join("taken")).unwrap();
    for draft in [Draft::Unique, Draft::Locked] {
        replace_file(&home.path().join("taken"), b"x", &Access::Mask, draft).unwrap_err();
    }
    replace_file(&home.path().join(".."), b"x", &Access::Mask, Draft::Unique).unwrap_err();
    assert_eq!(names(home.path()), ["file", "taken"]);
}

#[test]
fn directories_change_places_at_once_or_in_steps() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let fill = |name: &str| {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join(name), "").unwrap();
    };
    let within = File::open(home.path()).unwrap();
    let (draft, place) = (Path::new("draft"), Path::new("place"));
    let put = |exists| put_directory(&within, draft, place, exists, Otherwise::Refuse);
    let steps = |exists| {
        in_steps(|from, to| rustix::fs::renameat(&within, from, &within, to), draft, place, exists)
            .map_err(io::Error::from)
    };
    for change in [&put as &dyn Fn(bool) -> io::Result<()>, &steps] {
        fill("draft");
        assert_eq!(change(true).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(names(home.path()), ["draft"]);
        change(false).unwrap();
        assert_eq!(names(&at("place")), ["draft"]);
        fill("draft");
        fs::write(at("draft/new"), "").unwrap();
        change(true).unwrap();
        assert_eq!(
            (names(&at("place")), names(&at("draft"))),
            (vec!["draft".into(), "new".into()], vec!["draft".into()])
        );
        assert!(change(false).is_err(), "something is there");
        assert_eq!(names(home.path()), ["draft", "place"]);
        fs::remove_dir_all(at("draft")).unwrap();
        // Without a draft, what is there stays.
        assert!(change(true).is_err());
        assert_eq!(names(home.path()), ["place"]);
        fs::remove_dir_all(at("place")).unwrap();
    }
}

#[test]
fn parents_are_made_with_the_mode() {
    let home = tempfile::tempdir().unwrap();
    create_parents(&home.path().join("a/b/file"), 0o700).unwrap();
    for made in ["a", "a/b"] {
        assert_eq!(fs::metadata(home.path().join(made)).unwrap().permissions().mode() & 0o777, 0o700);
    }
    create_parents(&home.path().join("a/b/file"), 0o755).unwrap();
    create_parents(Path::new("file"), 0o700).unwrap();
}

#[test]
fn only_regular_files_of_some_size_are_read() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::write(at("file"), "text").unwrap();
    std::os::unix::fs::symlink("file", at("link")).unwrap();
    fs::create_dir(at("dir")).unwrap();
    rustix::fs::mkfifoat(CWD, at("pipe"), Mode::RWXU).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    assert_eq!(
        (read_file(&at("file"), 4).unwrap(), read_file(&at("link"), 9).unwrap()),
        (b"text".into(), b"text".into())
    );
    assert!(matches!(read_file(&at("file"), 3), Err(FileError::TooLarge(3))));
    for name in ["dir", "pipe", "socket"] {
        assert!(matches!(read_file(&at(name), 9), Err(FileError::NotAFile)), "{name}");
    }
    assert!(matches!(read_file(&at("none"), 9), Err(FileError::Io(error)) if error.kind() == io::ErrorKind::NotFound));
}

/// Somebody exchanges the file and a pipe all the time: whoever looks first and opens then waits for ever.
#[test]
fn a_pipe_that_comes_in_between_is_not_waited_for() {
    let home = tempfile::tempdir().unwrap();
    let (file, pipe) = (home.path().join("file"), home.path().join("pipe"));
    fs::write(&file, "text").unwrap();
    rustix::fs::mkfifoat(CWD, &pipe, Mode::RWXU).unwrap();
    let over = AtomicBool::new(false);
    let (told, hears) = mpsc::channel();
    let read = file.clone();
    std::thread::spawn(move || {
        let strange = (0..20_000).filter(|_| matches!(read_file(&read, 9), Err(FileError::NotAFile))).count();
        told.send(strange)
    });
    let strange = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(CWD, &file, CWD, &pipe, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let strange = hears.recv_timeout(Duration::from_secs(30));
        over.store(true, Ordering::Relaxed);
        strange
    });
    assert!(strange.unwrap() > 0);
}

#[test]
fn the_folder_of_a_project_is_kept_out_of_version_control() {
    let home = tempfile::tempdir().unwrap();
    for (path, folder) in [("a/.cavra/api/x.json", "a/.cavra"), (".cavra/keys/k.pem", ".cavra")] {
        create_parents(&home.path().join(path), 0o700).unwrap();
        let ignored = home.path().join(folder).join(".gitignore");
        assert!(fs::read_to_string(&ignored).unwrap().contains("\n*\n"), "{folder}");
        // What its owner makes of it stays.
        fs::write(&ignored, "mine").unwrap();
        create_parents(&home.path().join(folder).join("more/x"), 0o700).unwrap();
        assert!(!keep_out_of_version_control(&home.path().join(folder)).unwrap());
        assert_eq!(fs::read_to_string(&ignored).unwrap(), "mine");
    }
    create_parents(&home.path().join("cavra/x/y"), 0o700).unwrap();
    assert_eq!(names(&home.path().join("cavra")), ["x"]);
}
