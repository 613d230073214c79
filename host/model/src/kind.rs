//! What a record kind says of itself. The stores, the list endpoints and the CLI read the declarations; the rows are in
//! `kinds`.

/// One kind of record.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Singular name for messages: `decision not found`.
    pub name: &'static str,
    /// Member that holds the key.
    pub id: &'static str,
    /// Member of the JSON store document that holds the list of records.
    pub collection: &'static str,
    /// SQLite table. Its columns are the key, [`Kind::columns`] and `payload`, the whole record as JSON text.
    pub table: &'static str,
    /// Members kept as columns beside the payload, for filters and order.
    pub columns: &'static [Column],
    /// Order of lists; ties are broken by the key, ascending.
    pub order: Order,
    /// What is kept beside the records of the store's other kinds. A JSON store does not mention it while there is
    /// none, so that files of other products stay as they are.
    pub beside: bool,
    /// Where large parts of its records are kept, each once, if they are not kept in the records.
    pub apart: Option<Apart>,
}

/// Where large parts of records are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apart {
    /// The kind of the parts: the key is the part's digest, `document` is the part.
    pub documents: &'static Kind,
    /// The kind of the notes that say which record has which part: `sha256` and `record_id`.
    pub uses: &'static Kind,
}

impl Kind {
    /// The columns of the SQLite table beside key and payload.
    pub fn table_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.place == Place::Table)
    }

    /// The columns that callers may filter its lists by.
    pub fn parameters(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.filters() && column.asked != Inquiry::Lookup)
    }

    /// What one of its records is called in a sentence: `an approval record`.
    #[must_use]
    pub fn one_record(&self) -> String {
        let article = if self.name.starts_with(['a', 'e', 'i', 'o', 'u', 'A']) { "an" } else { "a" };
        format!("{article} {} record", self.name)
    }

    /// Whether a record's place in lists changes with nearly every write of it.
    #[must_use]
    pub fn order_moves(&self) -> bool {
        self.columns.iter().any(|column| column.moves && column.name == self.order.by)
    }
}

/// One member that is also a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name of member and column.
    pub name: &'static str,
    /// Its type.
    pub kind: ColumnType,
    /// Where a database has it.
    pub place: Place,
    /// How lists are asked for it.
    pub asked: Inquiry,
    /// It changes with nearly every write of a record, so indexes by other columns leave it out.
    pub moves: bool,
    /// The table says `NOT NULL`.
    pub not_null: bool,
}

impl Column {
    /// Lists can be filtered by it: it equals a text.
    #[must_use]
    pub const fn filters(&self) -> bool {
        matches!(self.asked, Inquiry::Lookup | Inquiry::Filter | Inquiry::Facet | Inquiry::Frequent)
    }

    /// The store keeps the sets of records that have each of its values.
    #[must_use]
    pub const fn is_facet(&self) -> bool {
        matches!(self.asked, Inquiry::Facet | Inquiry::Frequent)
    }

    /// Lists can be asked for it by any operator that fits its type.
    #[must_use]
    pub const fn answers(&self) -> bool {
        matches!(self.asked, Inquiry::Question | Inquiry::OftenEqual)
    }

    /// The list that a [`ColumnType::List`] column is about, and which member of each of its objects.
    #[must_use]
    pub fn list_path(&self) -> (&'static str, Option<&'static str>) {
        match self.name.split_once('.') {
            Some((list, member)) => (list, Some(member)),
            None => (self.name, None),
        }
    }

    /// It has an index.
    #[must_use]
    pub const fn is_indexed(&self) -> bool {
        matches!(self.asked, Inquiry::Lookup | Inquiry::Filter | Inquiry::Facet | Inquiry::OftenEqual)
    }
}

/// How lists are asked for a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inquiry {
    /// They are not.
    Never,
    /// Only the product itself filters by it, to look something up; callers cannot.
    Lookup,
    /// Callers filter by it.
    Filter,
    /// A filter of whose values many records share each, in long lists: the store keeps the sets of records that have a
    /// value, so a list's `total` needs no scan.
    Facet,
    /// A facet of records that are written once, about in the order of lists: the newest of a value are found by the sets,
    /// and an index would cost every write more than all else.
    Frequent,
    /// By any operator that fits its type.
    Question,
    /// A question that is often for equality and then selective, so it has an index.
    OftenEqual,
}

/// Where a database has a column's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a column of the table.
    Table,
    /// In the payload only; what is asked often is indexed by expression. This leaves a table as another product
    /// made it.
    Payload,
}

/// Type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    Text,
    /// Whole number.
    Integer,
    /// Time, kept by the record as it was sent and by the column in the one form whose order is that of time. What
    /// is no time comes before all times.
    Instant,
    /// List of texts. One that is named `list.member` holds that member of each object in the list.
    List,
    /// Yes or no.
    Flag,
}

/// How a question of a list compares a member with the value of its parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// It is this text.
    Equals,
    /// It contains this text; letters count as they are and no character is special.
    Contains,
    /// It is at least this number.
    AtLeast,
    /// It is a list that has this text.
    HasElement,
    /// It is this word, in its one spelling.
    IsWord,
    /// It is a list that has this word, in its one spelling.
    HasWord,
    /// Whether it is greater than zero.
    GreaterZero,
    /// It is this truth value.
    Is,
    /// It is this text, where the approval named by the record's `approval_id` has the last word on what it is.
    CurrentApproval,
}

/// One question that a list understands.
#[derive(Debug, PartialEq, Eq)]
pub struct Filter {
    /// Query parameter.
    pub parameter: &'static str,
    /// Member of the record.
    pub member: &'static str,
    /// Comparison.
    pub operator: Operator,
}

impl Filter {
    /// The member is called as the parameter and must be equal.
    #[must_use]
    pub const fn equals(name: &'static str) -> Self {
        Self::new(name, name, Operator::Equals)
    }

    /// Any question.
    #[must_use]
    pub const fn new(parameter: &'static str, member: &'static str, operator: Operator) -> Self {
        Self { parameter, member, operator }
    }
}

/// Order of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Order {
    /// Column ordered by.
    pub by: &'static str,
    /// Direction.
    pub direction: Direction,
}

/// Direction of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first, such as the newest time.
    Descending,
}
