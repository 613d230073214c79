//! What the redactor finds of the shapes that secrets have, and what it takes for one and is none. Prints both.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test says what is wrong by failing"
)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use cavra_redact::{find, redact};

/// Texts made of each line that has something to fill in.
const FILLINGS: usize = 10;

/// Passwords as people choose them.
const PASSWORDS: [&str; 10] = [
    "hunter2",
    "Passw0rd!",
    "swordfish",
    "correct-horse-battery",
    "letmein99",
    "Winter2026!",
    "s3cr3t",
    "admin123",
    "changeme",
    "Tr0ub4dor-3",
];

/// A generator of pseudo-random numbers; the corpus is the same in every run.
struct Lot(u64);

impl Lot {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below
    }

    fn letters(&mut self, alphabet: &str, count: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..count).map(|_| alphabet[self.next(alphabet.len())]).collect()
    }

    fn fill(&mut self, place: &str) -> String {
        const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
        const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        match place {
            "pw" => return PASSWORDS[self.next(PASSWORDS.len())].to_owned(),
            "rpw" => {
                let signs = format!("{ALNUM}!#%*+-_.:?~^");
                return format!("{}{}{}", self.letters(ALNUM, 2), self.letters(&signs, 14), self.letters(ALNUM, 2));
            }
            "uuid" => {
                return [8, 4, 4, 4, 12].map(|count| self.letters("0123456789abcdef", count)).join("-");
            }
            _ => {}
        }
        let count = place[1..].parse().unwrap();
        let alphabet = match &place[..1] {
            "A" => ALNUM.to_owned(),
            "U" => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".to_owned(),
            "h" => "0123456789abcdef".to_owned(),
            "d" => "0123456789".to_owned(),
            "l" => LOWER.to_owned(),
            "u" => format!("{ALNUM}-_"),
            "b" => format!("{ALNUM}+/"),
            other => panic!("{other}"),
        };
        let filled = self.letters(&alphabet, count);
        // No token of a vendor ends with a sign, and nobody types one there.
        let last = self.letters(ALNUM, 1);
        if filled.ends_with(|last: char| last.is_ascii_alphanumeric()) {
            filled
        } else {
            format!("{}{last}", &filled[..count - 1])
        }
    }

    /// The line with its places filled in. Braces around other things stay.
    fn fill_line(&mut self, line: &str) -> String {
        let mut out = String::new();
        let mut rest = line;
        while let Some(open) = rest.find('{') {
            let close = rest[open..].find('}').map(|close| open + close);
            let place = close.map(|close| &rest[open + 1..close]).filter(|place| is_place(place));
            match (place, close) {
                (Some(place), Some(close)) => {
                    out.push_str(&rest[..open]);
                    out.push_str(&self.fill(place));
                    rest = &rest[close + 1..];
                }
                _ => {
                    out.push_str(&rest[..=open]);
                    rest = &rest[open + 1..];
                }
            }
        }
        out.push_str(rest);
        out.replace('⏎', "\n")
    }
}

fn is_place(place: &str) -> bool {
    matches!(place, "pw" | "rpw" | "uuid")
        || (place.len() > 1
            && place.starts_with(['A', 'U', 'h', 'd', 'l', 'u', 'b'])
            && place[1..].bytes().all(|byte| byte.is_ascii_digit()))
}

fn has_place(line: &str) -> bool {
    line.match_indices('{')
        .any(|(open, _)| line[open..].find('}').is_some_and(|close| is_place(&line[open + 1..open + close])))
}

/// The text without its « », and where the secrets are.
fn marked(line: &str) -> (String, Vec<Range<usize>>) {
    let mut text = String::new();
    let mut secrets = Vec::new();
    let mut start = 0;
    for character in line.chars() {
        match character {
            '«' => start = text.len(),
            '»' => secrets.push(start..text.len()),
            other => text.push(other),
        }
    }
    (text, secrets)
}

fn lines(corpus: &str) -> impl Iterator<Item = &str> {
    corpus.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("# "))
}

#[test]
fn recall() {
    let mut lot = Lot(0x5eed_cafe_f00d_1234);
    let mut section = "";
    let mut tally: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut missed = Vec::new();
    for line in lines(include_str!("corpus/secrets.txt")) {
        if let Some(name) = line.strip_prefix("## ") {
            section = name;
            continue;
        }
        for _ in 0..FILLINGS {
            let (text, secrets) = marked(&lot.fill_line(line));
            let found = find(&text);
            assert!(!secrets.is_empty(), "{line}");
            for secret in secrets {
                let count = tally.entry(section).or_default();
                count.1 += 1;
                // Every byte of it: half a secret is a secret.
                if found.iter().any(|found| found.start <= secret.start && secret.end <= found.end) {
                    count.0 += 1;
                } else {
                    missed.push(format!("{text:?} -> {:?}", redact(&text)));
                }
            }
        }
    }
    let (found, all) = tally.values().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    for (section, (found, all)) in &tally {
        println!("{section:24} {found:5} of {all:5}");
    }
    let recall = found as f64 / all as f64;
    println!("recall {recall:.4}: {found} of {all}");
    for text in &missed {
        println!("missed {text}");
    }
    assert!(recall >= 0.98, "{recall}");
    assert!(all >= 1_500, "{all}");
}

#[test]
fn false_positives() {
    let mut lot = Lot(0x0dd_ba11_cafe_4321);
    let (mut wrong, mut all) = (0, 0);
    for line in lines(include_str!("corpus/benign.txt")) {
        for _ in 0..if has_place(line) { FILLINGS } else { 1 } {
            let text = lot.fill_line(line);
            all += 1;
            if let Some(redacted) = redact(&text) {
                wrong += 1;
                println!("wrong {text:?} -> {redacted:?}");
            }
        }
    }
    let rate = wrong as f64 / all as f64;
    println!("false positives {rate:.4}: {wrong} of {all} texts");
    assert!(rate <= 0.01, "{rate}");
    assert!(all >= 400, "{all}");
}

/// Nobody wrote these lines for the redactor: the sources, documents and lists of this repository.
#[test]
fn false_positives_in_this_repository() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut wrong, mut all) = (0, 0);
    let mut waiting =
        ["host", "policies", "sdk", "examples", "docs", "wit", "Cargo.lock", "README.md", "ARCHITECTURE.md"]
            .map(|name| root.join(name))
            .to_vec();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            let hidden = path.ends_with("redact") || path.ends_with("target") || path.ends_with(".cavra");
            let entries = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            waiting.extend(entries.filter(|_| !hidden));
            continue;
        }
        for line in std::fs::read_to_string(&path).unwrap_or_default().lines().filter(|line| !line.trim().is_empty()) {
            all += 1;
            if let Some(redacted) = redact(line) {
                wrong += 1;
                println!("{}: {redacted}", path.file_name().unwrap().to_string_lossy());
            }
        }
    }
    let rate = wrong as f64 / all as f64;
    println!("redacted lines {rate:.5}: {wrong} of {all}");
    // Examples of passwords in tests are among them.
    assert!(rate <= 0.002, "{rate}");
}
