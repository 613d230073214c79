//! What becomes of the streams of a process never softens its answer: a table of streams, faults and commands.

use std::fs::File;
use std::io::{PipeReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Home, end_of};

/// What is wrong with a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Nothing can be written: a full disk.
    Full,
    /// It was closed before the process began.
    Closed,
    /// Nobody reads it any more.
    Gone,
    /// Its reader does not go on reading.
    Stuck,
}

const CLOSED_OUTPUT: &str = "exec \"$0\" \"$@\" >&-";
const CLOSED_ERROR: &str = "exec \"$0\" \"$@\" 2>&-";

const FAULTS: [Fault; 4] = [Fault::Full, Fault::Closed, Fault::Gone, Fault::Stuck];

/// A stream with the fault, and what has to be kept as long as the process runs.
fn broken(fault: Fault) -> (Stdio, Option<PipeReader>) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    match fault {
        Fault::Full => (Stdio::from(File::options().write(true).open("/dev/full").unwrap()), None),
        // Which is what the system makes of a stream that is closed when a program starts.
        Fault::Closed => (Stdio::null(), None),
        Fault::Gone => (Stdio::from(writer), None),
        Fault::Stuck => {
            rustix::io::ioctl_fionbio(&writer, true).unwrap();
            while writer.write(&[b' '; 4096]).is_ok() {}
            while writer.write(b" ").is_ok() {}
            rustix::io::ioctl_fionbio(&writer, false).unwrap();
            (Stdio::from(writer), Some(reader))
        }
    }
}

/// The command as a shell script starts it, which finds it in `"$0" "$@"`.
fn through_shell(command: &Command, script: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script]).arg(command.get_program()).args(command.get_args());
    shell.current_dir(command.get_current_dir().unwrap()).env_clear();
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell
}

fn event(home: &Home, tool: &str, input: Value) -> String {
    json!({"session_id": "s", "cwd": home.path(), "permission_mode": "default", "tool_name": tool, "tool_input": input})
        .to_string()
}

/// The exit code of the command with its streams as given; what it said on standard output where that is a pipe.
fn run(mut command: Command, input: &str, stdout: Stdio, stderr: Stdio) -> (i32, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(stdout).stderr(stderr).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let status = end_of(&mut child, || format!("{command:?} does not end"));
    let mut said = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut said).unwrap();
    }
    (status.code().unwrap_or(-1), said)
}

/// A command with the exit code it has when nothing is wrong.
struct Row {
    what: &'static str,
    arguments: &'static [&'static str],
    settings: &'static [(&'static str, &'static str)],
    input: fn(&Home) -> String,
    code: i32,
    /// Whether the code is another one if standard output cannot be written: a refusal of the hook, or a failure.
    unheard: i32,
}

const HOOK: &[&str] = &["hook", "claude-code"];

fn rows() -> Vec<Row> {
    let nothing = |_: &Home| String::new();
    vec![
        Row {
            what: "the hook denies",
            arguments: HOOK,
            settings: &[],
            input: |home| event(home, "Bash", json!({"command": "terraform apply"})),
            code: 2,
            unheard: 2,
        },
        Row {
            what: "the hook asks",
            arguments: HOOK,
            settings: &[],
            input: |home| event(home, "Write", json!({"file_path": home.at("iam/x.tf"), "content": "x"})),
            code: 0,
            unheard: 2,
        },
        Row {
            what: "the hook permits",
            arguments: HOOK,
            settings: &[],
            input: |home| event(home, "Bash", json!({"command": "pytest -q"})),
            code: 0,
            unheard: 2,
        },
        Row {
            what: "the hook cannot decide",
            arguments: HOOK,
            settings: &[("CAVRA_ACTIVITY_STORE", "/dev/full/activity.json")],
            input: |home| event(home, "Bash", json!({"command": "pytest -q"})),
            code: 2,
            unheard: 2,
        },
        Row { what: "the hook gets nothing", arguments: HOOK, settings: &[], input: nothing, code: 2, unheard: 2 },
        Row { what: "a command", arguments: &["version"], settings: &[], input: nothing, code: 0, unheard: 1 },
        Row {
            what: "a command that logs",
            arguments: &["evaluate", "execute_command", "terraform apply", "--exit-code"],
            settings: &[("CAVRA_LOG", "trace")],
            input: nothing,
            code: 20,
            unheard: 1,
        },
        Row {
            what: "a command that fails",
            arguments: &["policy", "describe", "cavra-nobody"],
            settings: &[],
            input: nothing,
            code: 1,
            unheard: 1,
        },
    ]
}

fn prepared(home: &Home, row: &Row) -> Command {
    let mut command = home.command(row.arguments);
    command.env("CAVRA_HOOK_DEADLINE_MS", "1500").envs(row.settings.iter().copied());
    command
}

#[test]
fn standard_error_never_changes_an_exit_code() {
    for row in rows() {
        let home = Home::new();
        let input = (row.input)(&home);
        let (code, said) = run(prepared(&home, &row), &input, Stdio::piped(), Stdio::null());
        assert_eq!(code, row.code, "{}", row.what);
        for fault in FAULTS {
            // A stuck terminal stops commands; only the hook has a deadline.
            if fault == Fault::Stuck && row.arguments != HOOK {
                continue;
            }
            println!("-- {}, {fault:?}", row.what);
            let command = prepared(&home, &row);
            let (stderr, _kept) = broken(fault);
            let (code, now) = if fault == Fault::Closed {
                run(through_shell(&command, CLOSED_ERROR), &input, Stdio::piped(), Stdio::null())
            } else {
                run(command, &input, Stdio::piped(), stderr)
            };
            assert_eq!(code, row.code, "{}, {fault:?}", row.what);
            assert_eq!(now.is_empty(), said.is_empty(), "{}, {fault:?}: {now}", row.what);
        }
    }
}

#[test]
fn an_answer_that_nobody_gets_is_a_refusal() {
    for row in rows() {
        for fault in FAULTS {
            println!("-- {}, {fault:?}", row.what);
            let home = Home::new();
            let input = (row.input)(&home);
            let command = prepared(&home, &row);
            let (stdout, _kept) = broken(fault);
            let hook = row.arguments == HOOK;
            match fault {
                // Commands whose reader has gone have done what was asked.
                Fault::Gone if !hook => {
                    assert_eq!(run(command, &input, stdout, Stdio::null()).0, row.code, "{}", row.what);
                }
                Fault::Closed if !hook => {
                    assert_eq!(
                        run(through_shell(&command, CLOSED_OUTPUT), &input, Stdio::null(), Stdio::null()).0,
                        row.code
                    );
                }
                Fault::Closed => {
                    assert_eq!(
                        run(through_shell(&command, CLOSED_OUTPUT), &input, Stdio::null(), Stdio::null()).0,
                        row.unheard
                    );
                    assert_eq!(run(command, &input, Stdio::null(), Stdio::null()).0, row.unheard, "{}", row.what);
                }
                Fault::Stuck if !hook => {}
                _ => assert_eq!(run(command, &input, stdout, Stdio::null()).0, row.unheard, "{}, {fault:?}", row.what),
            }
        }
    }
}

#[test]
fn a_hook_that_is_asked_to_end_refuses() {
    let signals =
        [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT, Signal::ALARM, Signal::USR1, Signal::USR2, Signal::XCPU];
    for signal in signals {
        let home = Home::new();
        let mut child = home
            .command(HOOK)
            .env("CAVRA_HOOK_DEADLINE_MS", "4000")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The clock runs once a part of the event has been taken from the pipe.
        let mut input = child.stdin.take().unwrap();
        input.write_all(&[b' '; 1 << 17]).unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = end_of(&mut child, || format!("{signal:?} does not end it"));
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        let answer: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{signal:?}: {error}: {said}"));
        assert_eq!(answer["hookSpecificOutput"]["permissionDecision"], "deny", "{signal:?}");
        assert_eq!(status.code(), Some(2), "{signal:?}");
    }
}

/// A limit on the size of files is a full disk that sends a signal.
#[test]
fn a_limit_on_files_refuses() {
    let home = Home::new();
    let command = through_shell(&home.command(HOOK), "ulimit -f 0; exec \"$0\" \"$@\"");
    let input = event(&home, "Bash", json!({"command": "pytest -q"}));
    let (code, said) = run(command, &input, Stdio::piped(), Stdio::null());
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("\"deny\""), "{said}");
}

#[test]
fn a_server_outlives_its_log() {
    for fault in FAULTS {
        println!("-- {fault:?}");
        let home = Home::new();
        let mut command = home.command(&["serve", "--port", "0"]);
        command.env("CAVRA_LOG", "debug");
        let (stderr, _kept) = broken(fault);
        let command = if fault == Fault::Closed { through_shell(&command, CLOSED_ERROR) } else { command };
        let mut server = Started::new(command, stderr);
        for _ in 0..50 {
            assert_eq!(server.get("/health"), 200, "{fault:?}");
            assert_eq!(server.get("/nowhere"), 404, "{fault:?}");
        }
        server.end();
    }
}

/// A server that is spoken to without looking at its log.
struct Started {
    child: std::process::Child,
    address: String,
}

impl Started {
    fn new(mut command: Command, stderr: Stdio) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let mut said = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        while !said.ends_with('\n') {
            let mut byte = [0];
            assert_eq!(stdout.read(&mut byte).unwrap(), 1, "the server has ended: {said}");
            said.push(byte[0].into());
        }
        let address = said.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, address }
    }

    fn get(&self, path: &str) -> u16 {
        let mut stream = std::net::TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer}")).parse().unwrap()
    }

    fn end(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = end_of(&mut self.child, || "the server does not end".to_owned());
        assert!(status.success(), "{status}");
    }
}
