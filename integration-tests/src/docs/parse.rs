//! A page of the documentation: its fenced blocks, and what the comments before them say.

use super::compare::Form;

/// Fences of these languages hold commands, too, and would not be run.
const OTHER_SHELLS: &[&str] =
    &["console", "bash", "shell", "shell-session", "shellsession", "terminal", "zsh"];

/// What commands begin with: a block without a language or without a fence may not have such lines.
const COMMANDS: &[&str] = &[
    "apt-get ",
    "cargo ",
    "curl ",
    "docker ",
    "etcdctl ",
    "helm ",
    "kubectl ",
    "make ",
    "promtool ",
    "sudo ",
    "yagura ",
    "./",
];

#[derive(Debug)]
pub struct Page {
    pub name: String,
    pub blocks: Vec<Block>,
}

#[derive(Debug)]
pub struct Block {
    /// Where its fence opens, counted from 1.
    pub line: usize,
    pub text: String,
    pub kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    Run {
        code: i32,
        output: Option<Output>,
    },
    /// `ready` is a command that succeeds when the server serves; without it `/ready` is asked.
    Server {
        ready: Option<String>,
        output: Option<Output>,
    },
    NotRun {
        reason: String,
    },
    File {
        name: String,
    },
    Shown,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Output {
    pub line: usize,
    pub text: String,
    pub form: Form,
}

#[derive(Debug)]
enum Marker {
    NotRun(String),
    Server(Option<String>),
    Exits(i32),
    File(String),
}

impl Marker {
    /// Of a comment; `None` if it does not look like one.
    fn read(comment: &str) -> Option<Result<Self, String>> {
        let (word, rest) =
            comment.split_once(':').map_or((comment, None), |(word, rest)| (word, Some(rest.trim())));
        let rest = rest.filter(|rest| !rest.is_empty());
        let marker = match (word.trim(), rest) {
            ("not run", Some(reason)) => Ok(Self::NotRun(reason.to_owned())),
            ("not run", None) => Err("`not run` needs a reason: <!-- not run: REASON -->".to_owned()),
            ("server", None) if comment.contains(':') => {
                Err("a command is wanted behind `server:`".to_owned())
            }
            ("server", command) => Ok(Self::Server(command.map(str::to_owned))),
            ("file", Some(name)) => file_name(name).map(Self::File),
            ("file", None) => Err("`file` needs a name: <!-- file: NAME -->".to_owned()),
            (other, None) => match other.strip_prefix("exits with ").map(|code| code.trim().parse()) {
                Some(Ok(code @ 1..=255)) => Ok(Self::Exits(code)),
                Some(_) => Err("`exits with` needs a code from 1 to 255".to_owned()),
                None => return None,
            },
            _ => return None,
        };
        Some(marker)
    }
}

fn file_name(name: &str) -> Result<String, String> {
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    if name.split('/').all(is_plain) {
        return Ok(name.to_owned());
    }
    Err(format!("the file {name} is not inside of the page's folder"))
}

fn is_command(line: &str) -> bool {
    line.starts_with("$ ") || COMMANDS.iter().any(|command| line.starts_with(command))
}

struct Fence<'a> {
    indent: usize,
    mark: &'a str,
    info: &'a str,
}

impl<'a> Fence<'a> {
    fn opens(line: &'a str) -> Option<Self> {
        let text = line.trim_start();
        let sign = text.chars().next().filter(|sign| matches!(sign, '`' | '~'))?;
        let info = text.trim_start_matches(sign);
        let mark = &text[..text.len() - info.len()];
        // A line such as ```this``` is text.
        let is_fence = mark.len() >= 3 && !(sign == '`' && info.contains('`'));
        is_fence.then(|| Self { indent: line.len() - text.len(), mark, info: info.trim() })
    }

    fn closes(&self, line: &str) -> bool {
        let line = line.trim();
        line.len() >= self.mark.len() && line.chars().all(|c| self.mark.starts_with(c))
    }

    /// A line of the block without the fence's indentation.
    fn inside<'l>(&self, line: &'l str) -> &'l str {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        &line[spaces.min(self.indent)..]
    }
}

/// What a page must not have, each with its place.
#[derive(Debug)]
struct Mistakes<'a> {
    page: &'a str,
    found: Vec<String>,
}

impl Mistakes<'_> {
    fn at(&mut self, line: usize, what: &str) {
        self.found.push(format!("{}:{line}: {what}", self.page));
    }
}

impl Page {
    /// Reads a page, or says all that is wrong with its fences and markers.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<String>> {
        let mut reader = Reader {
            mistakes: Mistakes { page: name, found: Vec::new() },
            blocks: Vec::new(),
            marker: None,
            may_have_output: false,
            lists: Vec::new(),
            in_paragraph: false,
        };
        let mut lines = (1..).zip(text.lines());
        while let Some((number, line)) = lines.next() {
            if let Some(fence) = Fence::opens(line) {
                let mut inside = Vec::new();
                let closed = lines.by_ref().map(|(_, line)| line).any(|line| {
                    let closes = fence.closes(line);
                    inside.push(fence.inside(line));
                    closes
                });
                if !closed {
                    reader.mistakes.at(number, "this fence is never closed");
                    break;
                }
                inside.pop();
                let text: String = inside.iter().flat_map(|line| [*line, "\n"]).collect();
                reader.block(number, fence.info, text);
                reader.in_paragraph = false;
            } else if let Some(begun) = line.trim().strip_prefix("<!--") {
                let mut comment = begun.to_owned();
                while !comment.contains("-->") {
                    let Some((_, line)) = lines.next() else {
                        reader.mistakes.at(number, "this comment is never closed");
                        break;
                    };
                    comment.push(' ');
                    comment.push_str(line.trim());
                }
                let comment = comment.split_once("-->").map_or("", |(comment, _)| comment).trim().to_owned();
                reader.comment(number, comment);
            } else if line.trim().is_empty() {
                reader.in_paragraph = false;
            } else {
                reader.text(number, line);
            }
        }
        reader.unused_marker();
        let Reader { mistakes, blocks, .. } = reader;
        if mistakes.found.is_empty() {
            Ok(Self { name: name.to_owned(), blocks })
        } else {
            Err(mistakes.found)
        }
    }

    pub fn has_commands(&self) -> bool {
        self.blocks.iter().any(|block| !matches!(block.kind, Kind::Shown | Kind::File { .. }))
    }
}

struct Reader<'a> {
    mistakes: Mistakes<'a>,
    blocks: Vec<Block>,
    /// The comment just before, if only blank lines have come since.
    marker: Option<(usize, String)>,
    /// Whether the last block is of commands, and only blank lines have come since.
    may_have_output: bool,
    /// Where the text of the lists around begins in its lines.
    lists: Vec<usize>,
    /// Where no code begins that is marked by its indentation alone.
    in_paragraph: bool,
}

impl Reader<'_> {
    fn comment(&mut self, number: usize, comment: String) {
        self.unused_marker();
        self.may_have_output = false;
        self.marker = Some((number, comment));
    }

    fn text(&mut self, number: usize, line: &str) {
        self.unused_marker();
        self.may_have_output = false;
        let is_code = self.is_code(line);
        self.in_paragraph = !is_code && !line.starts_with('#');
        if line.trim().starts_with("$ ") {
            self.mistakes.at(number, "a command with `$ `: put it into a block of `sh`");
        } else if is_code && is_command(line.trim()) {
            self.mistakes.at(number, "a command in a block without a fence: put it into a block of `sh`");
        }
        if Fence::opens(line.trim_start_matches(['>', ' ', '-', '*'])).is_some() {
            self.mistakes.at(number, "a fence behind `>` or a list's sign is not read: begin a line with it");
        }
    }

    /// Whether a line is of a block without a fence, which is four further in than the text around it.
    fn is_code(&mut self, line: &str) -> bool {
        let text = line.trim_start();
        let blanks = &line[..line.len() - text.len()];
        let indent = blanks.chars().map(|blank| if blank == '\t' { 4 } else { 1 }).sum();
        if !self.in_paragraph {
            self.lists.retain(|list| *list <= indent);
        }
        let around = self.lists.last().copied().unwrap_or(0);
        if indent >= around + 4 {
            return !self.in_paragraph;
        }
        let sign = text.strip_prefix(['-', '*', '+']).or_else(|| {
            text.trim_start_matches(|digit: char| digit.is_ascii_digit()).strip_prefix(['.', ')'])
        });
        if let Some(rest) = sign.filter(|rest| rest.starts_with(' ')) {
            self.lists.retain(|list| *list <= indent);
            self.lists.push(indent + text.len() - rest.trim_start().len());
        }
        false
    }

    /// A marker that no block follows does nothing, which is not what its writer meant.
    fn unused_marker(&mut self) {
        if let Some((number, comment)) = self.marker.take()
            && Marker::read(&comment).is_some()
        {
            self.mistakes.at(number, "no block follows this marker");
        }
    }

    fn block(&mut self, number: usize, info: &str, text: String) {
        let marker = self.marker.take().and_then(|(line, comment)| {
            let unknown = || {
                Err(format!(
                    "`{comment}` before a block is no marker: there are `not run: REASON`, `server`, \
                     `server: COMMAND`, `exits with N` and `file: NAME`"
                ))
            };
            let read = Marker::read(&comment).unwrap_or_else(unknown);
            read.map_err(|what| self.mistakes.at(line, &what)).ok()
        });
        let form = match info {
            "text output" => Some(Form::Text),
            "json output" => Some(Form::Json),
            _ => None,
        };
        if let Some(form) = form {
            if marker.is_some() {
                self.mistakes.at(number, "an expected output takes no marker");
            }
            self.output(Output { line: number, text, form });
            return;
        }
        let is_shell = info == "sh";
        let kind = match marker {
            Some(Marker::File(name)) => Kind::File { name },
            Some(Marker::NotRun(reason)) if is_shell => Kind::NotRun { reason },
            Some(Marker::Server(ready)) if is_shell => Kind::Server { ready, output: None },
            Some(Marker::Exits(code)) if is_shell => Kind::Run { code, output: None },
            None if is_shell => Kind::Run { code: 0, output: None },
            Some(_) => {
                self.mistakes.at(number, "this marker is for blocks of `sh`");
                Kind::Shown
            }
            None => {
                self.shown(number, info, &text);
                Kind::Shown
            }
        };
        self.may_have_output = is_shell && !matches!(kind, Kind::File { .. });
        self.blocks.push(Block { line: number, text, kind });
    }

    fn shown(&mut self, number: usize, info: &str, text: &str) {
        let language = info.split_whitespace().next().unwrap_or_default();
        if OTHER_SHELLS.contains(&language) || language == "sh" {
            self.mistakes.at(number, &format!("`{info}`: commands are in blocks of `sh` and nothing else"));
        } else if info.split_whitespace().any(|word| word == "output") {
            self.mistakes.at(number, &format!("`{info}`: outputs are `text output` or `json output`"));
        } else if language.is_empty() || language == "text" {
            for (place, line) in (number + 1..).zip(text.lines()) {
                if is_command(line) {
                    self.mistakes.at(place, "a command outside of a block of `sh`");
                }
            }
        }
    }

    fn output(&mut self, output: Output) {
        let slot = self.blocks.last_mut().filter(|_| self.may_have_output).map(|block| &mut block.kind);
        self.may_have_output = false;
        match slot {
            Some(Kind::Run { output: slot, .. } | Kind::Server { output: slot, .. }) => *slot = Some(output),
            Some(Kind::NotRun { .. }) => {}
            _ => self.mistakes.at(output.line, "this output follows no block of `sh`"),
        }
    }
}
