//! Migrations that somebody else wrote: SQL scripts, each applied once. docs/reference/evidence-and-promotion.md, section 14.

use std::path::Path;

use cavra_model::{Kind, Timestamp};
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::{Batch, Connection, OpenFlags, TransactionBehavior};

use crate::StoreError;

use super::{Database, WRITER_CACHE, schema};

/// What became of the scripts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Those that were applied now.
    pub applied: Vec<String>,
    /// Those that had been applied before.
    pub skipped: Vec<String>,
}

/// The script that makes the table of a kind, for [`apply_scripts`]. What is kept beside the records is added when the
/// database is opened.
#[must_use]
pub fn table_script(kind: &Kind) -> String {
    schema::table_sql(kind)
}

/// Applies `scripts`, ids with their SQL, in order and each in one transaction, unless the table `schema_migrations`
/// has their id. Creates the database if there is none.
///
/// # Errors
/// [`StoreError::Refused`] naming a script that fails; those before it stay applied, it leaves nothing.
/// [`StoreError::Unavailable`].
pub fn apply_scripts(path: &Path, scripts: &[(String, String)]) -> Result<Applied, StoreError> {
    let database = Database::new(path, &[]);
    database.create_file()?;
    let mut connection = database.connect(OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_CACHE)?;
    let failed = |error: rusqlite::Error| database.error(&error);
    connection
        .execute_batch("CREATE TABLE IF NOT EXISTS schema_migrations (id TEXT PRIMARY KEY, applied_at TEXT NOT NULL)")
        .map_err(failed)?;
    let mut found = Applied::default();
    for (id, sql) in scripts {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let now = Timestamp::now().to_string();
        let new = transaction
            .execute("INSERT OR IGNORE INTO schema_migrations (id, applied_at) VALUES (?1, ?2)", (id, now))
            .map_err(failed)?;
        if new == 0 {
            found.skipped.push(id.clone());
            continue;
        }
        run(&transaction, sql).map_err(|error| StoreError::Refused(format!("migration {id}: {error}")))?;
        transaction.commit().map_err(failed)?;
        found.applied.push(id.clone());
    }
    Ok(found)
}

/// Runs a script's statements. What begins or ends a transaction is passed over: the script is one anyway.
fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    let mut statements = Batch::new(connection, sql);
    while let Some(mut statement) = statements.next()? {
        let text = statement.expanded_sql().unwrap_or_default();
        if ["BEGIN", "COMMIT", "END"].contains(&first_word(&text).as_str()) {
            continue;
        }
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
    }
    Ok(())
}

/// The first word of a statement, in capitals; comments are passed over.
fn first_word(statement: &str) -> String {
    let mut rest = statement.trim_start();
    loop {
        let after = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, after)| after)
        } else {
            break;
        };
        rest = after.trim_start();
    }
    rest.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_words() {
        for (statement, word) in [
            (" begin immediate;", "BEGIN"),
            ("-- why\n/* and\n how */ Commit", "COMMIT"),
            ("CREATE TRIGGER t BEGIN SELECT 1; END", "CREATE"),
            ("-- nothing", ""),
            ("/* open", ""),
        ] {
            assert_eq!(first_word(statement), word, "{statement}");
        }
    }
}
