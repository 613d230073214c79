//! What looking for secrets costs.

use std::hint::black_box;
use std::time::Instant;

fn main() {
    let token = ["ghp_", &"q7Rw2mXk9".repeat(4)].concat();
    let texts = [
        "src/main.rs".to_owned(),
        "cargo test --workspace --locked 2>&1 | tee target/test.log".to_owned(),
        "timeout 60 bash -c \"terraform apply -auto-approve -var-file=prod.tfvars\"".to_owned(),
        format!("git push https://x-access-token:{token}@github.com/acme/app.git HEAD:main"),
        "let words = text.split(' ').map(|word| word.trim()).collect::<Vec<_>>();\n".repeat(800),
    ];
    for text in texts {
        let rounds = 20_000_000 / (text.len() + 100);
        let began = Instant::now();
        for _ in 0..rounds {
            black_box(cavra_redact::find(black_box(&text)));
        }
        let each = began.elapsed().as_secs_f64() * 1e6 / rounds as f64;
        println!("{:6} bytes: {each:8.2} us, {} secrets", text.len(), cavra_redact::find(&text).len());
    }
}
