//! Secrets that programs take on their command line under options that say nothing by themselves, such as `mysql -p…`, and
//! those that are piped into them.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::Secret;
use crate::text::{Text, is_blank};
use crate::value::{Value, is_reference, value};

/// How an option takes its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `-pvalue`
    Attached,
    /// `-p value`
    Next,
    /// Both.
    Either,
    /// No option: a word of the form `user/value@host`.
    Positional,
}

/// The part of the value that is secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    /// What follows this sign; without the sign there is no secret.
    After(char),
}

struct Row {
    programs: &'static [&'static str],
    /// A word that has to be there too, such as a subcommand.
    with: &'static str,
    options: &'static [&'static str],
    form: Form,
    part: Part,
}

const fn row(programs: &'static [&'static str], options: &'static [&'static str], form: Form) -> Row {
    Row { programs, with: "", options, form, part: Part::Whole }
}

static ROWS: &[Row] = &[
    row(
        &[
            "mysql",
            "mysqldump",
            "mysqladmin",
            "mysqlimport",
            "mysqlcheck",
            "mysqlsh",
            "mariadb",
            "mariadb-dump",
            "mariadb-admin",
        ],
        &["-p"],
        Form::Attached,
    ),
    row(&["sshpass"], &["-p"], Form::Either),
    Row {
        with: "login",
        ..row(
            &[
                "docker", "podman", "nerdctl", "buildah", "skopeo", "helm", "oras", "crane", "az", "oc", "cf",
                "ibmcloud", "twine",
            ],
            &["-p"],
            Form::Next,
        )
    },
    Row { with: "upload", ..row(&["twine"], &["-p"], Form::Next) },
    Row { with: "push", ..row(&["nuget", "dotnet"], &["-k"], Form::Next) },
    row(&["redis-cli"], &["-a", "--pass"], Form::Next),
    Row { part: Part::After(':'), ..row(&["curl", "wget"], &["-u", "--user", "-U", "--proxy-user"], Form::Either) },
    Row { part: Part::After(':'), ..row(&["http", "https", "xh"], &["-a", "--auth"], Form::Either) },
    row(&["ldapsearch", "ldapmodify", "ldapadd", "ldapdelete", "ldapwhoami", "ldappasswd"], &["-w"], Form::Either),
    row(&["zip", "unzip"], &["-P"], Form::Either),
    row(&["7z", "7za", "7zz", "rar", "unrar"], &["-p", "-hp"], Form::Attached),
    row(&["mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport"], &["-p"], Form::Next),
    row(&["sqlcmd", "bcp"], &["-P"], Form::Either),
    row(&["rabbitmqadmin", "rdesktop", "useradd", "usermod"], &["-p"], Form::Next),
    row(&["xfreerdp", "wlfreerdp", "xfreerdp3"], &["/p:"], Form::Attached),
    row(&["cmdkey"], &["/pass:"], Form::Attached),
    Row { part: Part::After('%'), ..row(&["smbclient", "rpcclient"], &["-U", "--user"], Form::Either) },
    Row { part: Part::After(','), ..row(&["lftp"], &["-u"], Form::Next) },
    row(&["snmpget", "snmpwalk", "snmpset", "snmpbulkwalk"], &["-A", "-X"], Form::Next),
    row(
        &["keytool", "jarsigner"],
        &["-storepass", "-keypass", "-srcstorepass", "-deststorepass", "-srckeypass", "-destkeypass"],
        Form::Next,
    ),
    row(&["openssl"], &["-k", "-K"], Form::Next),
    row(&["openssl", "apksigner"], &["pass:"], Form::Attached),
    row(&["influx"], &["-password"], Form::Next),
    Row { part: Part::After('/'), ..row(&["sqlplus", "sqlldr", "expdp", "impdp"], &[], Form::Positional) },
];

/// The rows by the name of their program; made in some microseconds when they are first needed.
static BY_PROGRAM: LazyLock<HashMap<&str, Vec<&Row>>> = LazyLock::new(|| {
    let mut programs: HashMap<&str, Vec<&Row>> = HashMap::new();
    for row in ROWS {
        for program in row.programs {
            programs.entry(program).or_default().push(row);
        }
    }
    programs
});

/// What reads a secret from standard input.
const READERS: [&str; 8] = [
    "--password-stdin",
    "sudo -S",
    "chpasswd",
    "--passphrase-fd 0",
    "passwd --stdin",
    "--with-token",
    "--pass-stdin",
    "-passin stdin",
];

/// Words of `echo` that are looked at.
const SAID: usize = 16;

pub(crate) fn scan(text: Text<'_>, found: &mut Vec<Secret>) {
    let mut segment = Segment::default();
    let mut position = 0;
    while position < text.len() {
        let before = text.before(position);
        if matches!(before, b';' | b'|' | b'&' | b'\n') {
            segment = Segment::default();
        }
        let begins = position == 0
            || is_blank(before)
            || matches!(before, b';' | b'|' | b'&' | b'\n' | b'(' | b'"' | b'\'' | b'`');
        if begins && !is_blank(text.at(position)) {
            found.extend(segment.word(text, position));
        }
        position += 1;
    }
    piped(text, found);
}

/// A command of a command line, as far as it has been read.
#[derive(Default)]
struct Segment {
    rows: &'static [&'static Row],
    words: Vec<&'static str>,
}

impl Segment {
    fn word(&mut self, text: Text<'_>, start: usize) -> Option<Secret> {
        let end = text
            .run(start, |byte| byte > b' ' && !matches!(byte, b'"' | b'\'' | b'`' | b';' | b'|' | b'&' | b'(' | b')'));
        let word = text.part(start, end);
        let name = word.rsplit('/').next().unwrap_or(word);
        if let Some(rows) = BY_PROGRAM.get(name) {
            self.rows = rows;
            return None;
        }
        for with in ["login", "upload", "push"] {
            if word == with && !self.words.contains(&with) {
                self.words.push(with);
            }
        }
        let mut rows = self.rows.iter().filter(|row| row.with.is_empty() || self.words.contains(&row.with));
        rows.find_map(|row| row.secret(text, start, end))
    }
}

impl Row {
    fn secret(&self, text: Text<'_>, start: usize, end: usize) -> Option<Secret> {
        let word = text.part(start, end);
        if self.form == Form::Positional {
            let is_login = !word.starts_with('/') && word.contains('/') && word.contains('@');
            return is_login.then(|| self.part(text, Value { start, end, quoted: false })).flatten();
        }
        let option =
            self.options.iter().filter(|option| word.starts_with(**option)).max_by_key(|option| option.len())?;
        let mut from = start + option.len();
        if from == end && !matches!(text.at(end), b'"' | b'\'') {
            if self.form == Form::Attached {
                return None;
            }
            from = text.run(end, is_blank);
            if from == end || text.at(from) == b'-' {
                return None;
            }
        } else if self.form == Form::Next {
            return None;
        } else if text.at(from) == b'=' {
            from += 1;
        }
        self.part(text, value(text, from)?)
    }

    fn part(&self, text: Text<'_>, found: Value) -> Option<Secret> {
        let shown = text.part(found.start, found.end);
        let (start, end) = match self.part {
            Part::Whole => (found.start, found.end),
            Part::After(sign) => {
                let start = found.start + shown.find(sign)? + sign.len_utf8();
                let host = if sign == '/' { text.part(start, found.end).rfind('@') } else { None };
                (start, host.map_or(found.end, |at| start + at))
            }
        };
        (end > start && !is_reference(text.part(start, end))).then_some(Secret { start, end, kind: "password" })
    }
}

/// `echo secret | sudo -S …`, `… --password-stdin <<< secret`.
fn piped(text: Text<'_>, found: &mut Vec<Secret>) {
    if text.run(0, |byte| !matches!(byte, b'|' | b'<')) == text.len() {
        return;
    }
    let Some(last_reader) = READERS.iter().filter_map(|reader| last(text, reader)).max() else { return };
    for source in ["echo ", "printf ", "<<<"] {
        let mut from = 0;
        while let Some(at) = text.find(from, source) {
            from = at + source.len();
            if source != "<<<" && at > last_reader {
                break;
            }
            found.extend(said(text, from));
        }
    }
}

fn last(text: Text<'_>, wanted: &str) -> Option<usize> {
    text.part(0, text.len()).rfind(wanted)
}

/// What `echo` or `printf` says: the last word before the pipe that is no option.
fn said(text: Text<'_>, start: usize) -> Option<Secret> {
    let mut position = text.run(start, is_blank);
    let mut said = None;
    for _ in 0..SAID {
        if position >= text.len() || matches!(text.at(position), b'|' | b';' | b'&' | b'\n' | b'>') {
            break;
        }
        let word = value(text, position)?;
        let shown = text.part(word.start, word.end);
        let option = !word.quoted && shown.starts_with('-');
        if !option && !shown.contains("%s") && !is_reference(shown) {
            said = Some(Secret { start: word.start, end: word.end, kind: "password" });
        }
        position = text.run(word.end.max(position + 1) + usize::from(word.quoted), is_blank);
    }
    said
}
