//! The fenced blocks of a document: `docs/recipes.md`, `docs/security.md`.

use std::path::Path;

/// Where the document says that the server is.
pub(crate) const ADDRESS: &str = "127.0.0.1:8420";
/// What the recipes publish to.
pub(crate) const TOPICS: [&str; 3] = ["greeting", "prices", "orders"];

const FENCE: &str = "```";

/// A fenced block.
pub(crate) struct Block {
    pub(crate) language: String,
    words: Vec<String>,
    pub(crate) text: String,
    /// Where it begins.
    pub(crate) line: usize,
}

pub(crate) struct Document {
    blocks: Vec<Block>,
}

impl Document {
    pub(crate) fn read(name: &str) -> Self {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        Self::parse(&std::fs::read_to_string(docs.join(name)).unwrap())
    }

    fn parse(text: &str) -> Self {
        let mut blocks = Vec::new();
        let mut lines = text.lines().enumerate();
        while let Some((line, first)) = lines.next() {
            let Some(info) = first.strip_prefix(FENCE) else {
                continue;
            };
            let mut words = info.split_whitespace().map(str::to_owned);
            let language = words.next().expect("a language");
            let text = lines
                .by_ref()
                .map(|(_, line)| line)
                .take_while(|line| *line != FENCE);
            let text: String = text.flat_map(|line| [line, "\n"]).collect();
            blocks.push(Block {
                language,
                words: words.collect(),
                text,
                line: line + 1,
            });
        }
        Self { blocks }
    }

    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// What a recipe prints, in any language.
    pub(crate) fn expected(&self, recipe: &Block) -> Option<&Block> {
        self.blocks
            .iter()
            .find(|block| block.word("expected") == recipe.word("recipe"))
    }

    /// A recipe's snippet for the shell.
    pub(crate) fn in_shell(&self, name: &str) -> Option<&Block> {
        let mut blocks = self.blocks.iter();
        blocks.find(|block| block.language == "sh" && block.word("recipe") == Some(name))
    }

    /// How a server is started.
    pub(crate) fn server(&self, name: &str) -> &Block {
        let mut blocks = self.blocks.iter();
        blocks
            .find(|block| block.word("serve") == Some(name))
            .expect("a server of this name")
    }
}

impl Block {
    pub(crate) fn shell(text: &str) -> Self {
        Self {
            language: "sh".into(),
            words: Vec::new(),
            text: text.into(),
            line: 0,
        }
    }

    /// The value of `key=value`.
    pub(crate) fn word(&self, key: &str) -> Option<&str> {
        let mut values = self
            .words
            .iter()
            .filter_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        values.next()
    }

    /// Whether it has this word, with a value or without.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.word(key).is_some() || self.words.iter().any(|word| word == key)
    }

    /// The values of `key=a,b`.
    pub(crate) fn list(&self, key: &str) -> impl Iterator<Item = &str> {
        self.word(key).into_iter().flat_map(|values| values.split(','))
    }
}
