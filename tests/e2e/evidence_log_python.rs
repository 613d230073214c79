//! The log as somebody else reads it: a Python program that shares no code with cavra, and takes the signatures of the
//! package `cryptography`.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{BASELINE, Home, python, text};

/// Fetches a log by the layout of C2SP `tlog-tiles`, checks signature, tiles and root, and one proof by the algorithm
/// of RFC 9162, section 2.1.3.2.
const SCRIPT: &str = r#"
import base64, hashlib, json, sys, urllib.request
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

base, vkey, record_id = sys.argv[1:4]
older = open(sys.argv[4]).read() if len(sys.argv) > 4 else None

def fetch(path):
    with urllib.request.urlopen(base + path) as answer:
        return answer.read()

def sha(data): return hashlib.sha256(data).digest()
def leaf_hash(data): return sha(b"\0" + data)
def node(left, right): return sha(b"\1" + left + right)

def root(hashes):
    if not hashes: return sha(b"")
    if len(hashes) == 1: return hashes[0]
    split = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node(root(hashes[:split]), root(hashes[split:]))

name, key_id, key = vkey.split("+", 2)
key = base64.b64decode(key)
assert key[0] == 1 and len(key) == 33
assert sha(name.encode() + b"\n" + key)[:4].hex() == key_id

def open_checkpoint(note):
    body, signatures = note.rsplit("\n\n", 1)
    body += "\n"
    for line in signatures.splitlines():
        dash, signer, signature = line.split(" ")
        signature = base64.b64decode(signature)
        if signer == name and signature[:4].hex() == key_id:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], body.encode())
            origin, size, top = body.split("\n")[:3]
            assert origin == name
            return int(size), base64.b64decode(top)
    raise SystemExit("not signed by the key")

size, top = open_checkpoint(fetch("/checkpoint").decode())

def parts(size, prefix):
    for tile in range((size + 255) // 256):
        width = min(256, size - tile * 256)
        yield fetch("/tile/%s/%03d" % (prefix, tile) + ("" if width == 256 else ".p/%d" % width))

leaves = []
for bundle in parts(size, "entries"):
    at = 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at:at + 2], "big")
        leaves.append(bundle[at + 2:at + 2 + length])
        at += 2 + length
hashes = [leaf_hash(leaf) for leaf in leaves]
assert len(leaves) == size and root(hashes) == top
assert b"".join(parts(size, "0")) == b"".join(hashes)
full = size // 256
if full:
    above = b"".join(parts(full, "1"))
    assert above == b"".join(root(hashes[n * 256:n * 256 + 256]) for n in range(full))

lines = fetch("/proof/" + record_id).decode()
head, note = lines.split("\n\n", 1)
head = head.split("\n")
assert head[0] == "c2sp.org/tlog-proof@v1"
leaf = base64.b64decode(head[1].split(" ")[1])
index = int(head[2].split(" ")[1])
proof_size, proof_top = open_checkpoint(note)
fn, sn, hash = index, proof_size - 1, leaf_hash(leaf)
for sibling in head[3:]:
    sibling = base64.b64decode(sibling)
    assert sn > 0
    if fn & 1 or fn == sn:
        hash = node(sibling, hash)
        while not fn & 1 and fn:
            fn >>= 1; sn >>= 1
    else:
        hash = node(hash, sibling)
    fn >>= 1; sn >>= 1
assert sn == 0 and hash == proof_top and leaves[index] == leaf

record = json.loads(urllib.request.urlopen(base.split("/log/")[0] + "/decisions/" + record_id).read())
canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
assert json.loads(leaf)["record_sha256"] == hashlib.sha256(canonical.encode()).hexdigest()
assert json.loads(leaf)["id"] == record_id

consistent = None
if older:
    old_size, old_top = open_checkpoint(older)
    consistent = root(hashes[:old_size]) == old_top
print(json.dumps({"size": size, "index": index, "consistent": consistent}))
"#;

#[test]
fn another_implementation_verifies_the_log() {
    let Some(python) = python() else { return };
    let home = Home::new();
    let server = home.serve(&[("CAVRA_ACTIVITY_DB", &home.at("activity.db"))]);
    let decide = |number: u32| {
        let body =
            json!({"action_type": "read_file", "target": format!("ordner/größe-{number}"), "policy_pack": BASELINE});
        text(&server.decide(&body), "decision_id").to_owned()
    };
    let some: Vec<String> = (0..5).map(decide).collect();
    let proof = server.get(&format!("/log/activity/proof/{}", some[4]));
    let older = home.write("older.txt", server.get("/log/activity/checkpoint").text());
    assert_eq!(proof.status, 200);
    let more: Vec<String> = (5..530).map(decide).collect();
    // Asking for the newest proof signs everything.
    assert_eq!(server.get(&format!("/log/activity/proof/{}", more[524])).status, 200);
    let logs = server.get("/log").ok();
    let key = logs["items"][0]["keys"][0].as_str().unwrap();
    let run = |key: &str, id: &str| {
        let base = format!("http://{}/log/activity", server.address);
        Command::new(&python).args(["-c", SCRIPT, &base, key, id]).arg(&older).output().unwrap()
    };
    for (id, index) in [(&some[0], 0), (&some[3], 3), (&more[251], 256), (&more[524], 529)] {
        let output = run(key, id);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said, json!({"size": 530, "index": index, "consistent": true}));
    }
    let other = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    assert!(!run(other, &some[0]).status.success(), "the program does check the key");
}
