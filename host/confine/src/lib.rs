//! A command confined to the files it may use, and to no network where it may use none: by Landlock, which needs no rights.
//! What it starts is confined with it.
//!
//! What the kernel keeps apart is files by where they lie, and TCP. It does not keep a command from UDP, nor from a Unix
//! socket that it may find by its path.
//! Source: <https://docs.kernel.org/userspace-api/landlock.html>.

#[cfg(target_os = "linux")]
mod linux;

use std::io;
use std::path::PathBuf;
use std::process::{Child, Command};

use thiserror::Error;

/// What may be done with a file, or with everything below a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Names are listed.
    List,
    /// Contents are read, programs run.
    Read,
    /// Contents are changed and not read; in a folder, files and folders are made and removed as well.
    Make,
    /// All of it.
    Write,
}

/// What a command may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Files and folders, of a folder all that lies below. What is not there is left out.
    pub files: Vec<(PathBuf, Access)>,
    /// TCP to and from anywhere.
    pub network: bool,
}

/// Why a command was not started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfineError {
    /// There is nothing to confine it with.
    #[error("this system cannot confine a command: Linux 6.7 or newer with Landlock is needed")]
    Unavailable,
    /// The confinement could not be set up.
    #[error("the command cannot be confined")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It could not be started.
    #[error("the command cannot be started")]
    Start(#[source] io::Error),
}

/// Starts a command that can use what `profile` names, and nothing else.
///
/// # Errors
/// [`ConfineError`]; then nothing was started.
#[cfg(target_os = "linux")]
pub fn spawn(command: &mut Command, profile: &Profile) -> Result<Child, ConfineError> {
    // A confinement is of a thread and what it starts: this process goes on as it was.
    std::thread::scope(|scope| {
        let confined = scope.spawn(|| {
            linux::restrict(profile)?;
            command.spawn().map_err(ConfineError::Start)
        });
        confined.join().unwrap_or(Err(ConfineError::Unavailable))
    })
}

/// Nothing can be confined here.
///
/// # Errors
/// Always [`ConfineError::Unavailable`].
#[cfg(not(target_os = "linux"))]
pub fn spawn(_command: &mut Command, _profile: &Profile) -> Result<Child, ConfineError> {
    Err(ConfineError::Unavailable)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::fs;
    use std::net::TcpListener;

    /// Folders that every program needs.
    const SYSTEM: [&str; 6] = ["/usr", "/bin", "/lib", "/lib64", "/etc", "/dev"];

    fn succeeds(script: &str, files: &[(PathBuf, Access)], network: bool) -> bool {
        let system = SYSTEM.iter().map(|path| (PathBuf::from(path), Access::Read));
        let nowhere = [(PathBuf::from("/dev/null"), Access::Write)];
        let files = system.chain(nowhere).chain(files.iter().cloned()).collect();
        let mut command = Command::new("bash");
        command.args(["-c", script]).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        spawn(&mut command, &Profile { files, network }).unwrap().wait().unwrap().success()
    }

    #[test]
    fn a_command_uses_what_is_named_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("open")).unwrap();
        fs::write(path("open/a"), "a").unwrap();
        fs::write(path("secret"), "s").unwrap();
        let at = |name: &str| path(name).display().to_string();
        for (script, files, fine) in [
            (format!("cat {}", at("open/a")), vec![(path("open"), Access::Read)], true),
            (format!("cat {}", at("open/a")), vec![(path("open/a"), Access::Read)], true),
            (format!("cat {}", at("secret")), vec![(path("open"), Access::Read)], false),
            (format!("ls {}", at("open")), vec![(path("open"), Access::List)], true),
            (format!("cat {}", at("open/a")), vec![(path("open"), Access::List)], false),
            (format!("echo x > {}", at("open/b")), vec![(path("open"), Access::Read)], false),
            (format!("echo x > {}", at("open/b")), vec![(path("open"), Access::Write)], true),
            (format!("echo x > {}", at("open/c")), vec![(path("open"), Access::Make)], true),
            (format!("cat {}", at("open/a")), vec![(path("open"), Access::Make)], false),
            (format!("echo x > {}", at("secret")), vec![(path("secret"), Access::Write)], true),
            (format!("rm {}", at("secret")), vec![(path("secret"), Access::Write)], false),
            (format!("bash -c 'cat {}'", at("secret")), vec![], false),
            ("true".to_owned(), vec![(path("not there"), Access::Write)], true),
        ] {
            assert_eq!(succeeds(&script, &files, false), fine, "{script} {files:?}");
        }
        // This process is as it was.
        assert!(fs::read(path("secret")).is_ok());
    }

    #[test]
    fn tcp_is_for_those_who_may() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{}", listener.local_addr().unwrap().port());
        assert!(succeeds(&script, &[], true) && !succeeds(&script, &[], false));
    }
}
