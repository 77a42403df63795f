//! Functions and their loops in files of assembly, of x86 and of 64-bit Arm.

/// A function's name and the lines between its label and that of its end.
pub struct Function<'a> {
    pub name: &'a str,
    pub lines: Vec<&'a str>,
}

/// All functions: from a label that is not a local one to the label of its end.
pub fn functions(text: &str) -> Vec<Function<'_>> {
    let mut functions: Vec<Function<'_>> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        let label = line.strip_suffix(':').filter(|label| !label.starts_with(char::is_whitespace));
        match label {
            Some(label) if label.starts_with(".Lfunc_end") => is_inside = false,
            Some(label) if !label.starts_with(".L") => {
                functions.push(Function { name: label, lines: Vec::new() });
                is_inside = true;
            }
            _ if is_inside => {
                let function = functions.last_mut().expect("its label came before");
                function.lines.push(line);
            }
            _ => {}
        }
    }
    functions
}

/// A run of instructions that is entered at its beginning only, and left at its end.
#[derive(Default)]
pub struct Block<'a> {
    label: Option<&'a str>,
    pub instructions: Vec<&'a str>,
    /// Labels that it may jump to.
    targets: Vec<&'a str>,
    goes_on: bool,
}

impl Block<'_> {
    /// How many of its instructions begin with that.
    pub fn count(&self, mnemonic: &str) -> usize {
        self.instructions.iter().filter(|instruction| instruction.starts_with(mnemonic)).count()
    }
}

/// The blocks of a function, and which may follow which.
pub struct Graph<'a> {
    pub blocks: Vec<Block<'a>>,
    next: Vec<Vec<usize>>,
}

impl<'a> Graph<'a> {
    pub fn new(lines: &[&'a str]) -> Self {
        let blocks = blocks(lines);
        let next = (0..blocks.len())
            .map(|from| {
                let block = &blocks[from];
                let jumps = block.targets.iter().filter_map(|target| {
                    blocks.iter().position(|block| block.label == Some(target))
                });
                let following = (block.goes_on && from + 1 < blocks.len()).then_some(from + 1);
                jumps.chain(following).collect()
            })
            .collect();
        Self { blocks, next }
    }

    /// Whether a block can come after itself.
    pub fn is_in_loop(&self, start: usize) -> bool {
        let mut seen = vec![false; self.blocks.len()];
        let mut waiting = self.next[start].clone();
        while let Some(block) = waiting.pop() {
            if !std::mem::replace(&mut seen[block], true) {
                waiting.extend(&self.next[block]);
            }
        }
        seen[start]
    }

    /// Whether a block is a loop by itself.
    pub fn is_loop(&self, block: usize) -> bool {
        self.next[block].contains(&block)
    }

    /// All ways from a block back to it that come through no block twice, the block first.
    pub fn cycles(&self, start: usize) -> Vec<Vec<usize>> {
        let mut cycles = Vec::new();
        let mut waiting = vec![vec![start]];
        while let Some(path) = waiting.pop() {
            for &next in &self.next[path[path.len() - 1]] {
                if next == start {
                    cycles.push(path.clone());
                } else if !path.contains(&next) {
                    waiting.push([&path[..], &[next]].concat());
                }
            }
        }
        cycles
    }
}

fn blocks<'a>(lines: &[&'a str]) -> Vec<Block<'a>> {
    let mut blocks = vec![Block { goes_on: true, ..Block::default() }];
    for &line in lines {
        if let Some(label) = line.strip_suffix(':') {
            blocks.push(Block { label: Some(label), goes_on: true, ..Block::default() });
            continue;
        }
        let instruction = line.trim();
        if instruction.is_empty() || instruction.starts_with(['.', '#', '/']) {
            continue;
        }
        let block = blocks.last_mut().expect("there is a first one");
        block.instructions.push(instruction);
        let mnemonic = instruction.split_whitespace().next().unwrap_or_default();
        let is_end = mnemonic.starts_with("ret") || matches!(mnemonic, "ud2" | "br" | "brk");
        let is_jump = mnemonic.starts_with('j')
            || mnemonic.starts_with("b.")
            || matches!(mnemonic, "b" | "cbz" | "cbnz" | "tbz" | "tbnz");
        if is_end || is_jump {
            // The last operand; one that is no label here is none of a block.
            block.targets.extend(instruction.split([' ', '\t', ',']).next_back());
            block.goes_on = is_jump && !matches!(mnemonic, "jmp" | "b");
            blocks.push(Block { goes_on: true, ..Block::default() });
        }
    }
    blocks
}
