//! Texts packed while the program is compiled, as browsers unpack them: gzip (RFC 1952) of one block with the codes
//! that the format itself knows (RFC 1951, 3.2.6). It knows bytes, and nothing of what they say.

/// Where the same three letters stood before, that many places are looked at.
const LOOKS: usize = 256;
const HASHES: usize = 4_096;
const SHORTEST: usize = 3;
const LONGEST: usize = 258;
const FARTHEST: usize = 32_768;

/// What is written, bit by bit.
struct Bits<const N: usize> {
    bytes: [u8; N],
    length: usize,
    /// Bits that are not a byte yet, and how many.
    held: u64,
    count: u32,
}

impl<const N: usize> Bits<N> {
    /// The lowest bit first.
    const fn put(&mut self, bits: usize, count: u32) {
        self.held |= (bits as u64) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes[self.length] = self.held as u8;
            self.length += 1;
            self.held >>= 8;
            self.count -= 8;
        }
    }

    /// A code of the format: its highest bit first.
    const fn code(&mut self, code: usize, count: u32) {
        self.put(code.reverse_bits() >> (usize::BITS - count), count);
    }

    /// A letter, the end, or how long a repetition is.
    const fn symbol(&mut self, symbol: usize) {
        match symbol {
            0..=143 => self.code(0x30 + symbol, 8),
            144..=255 => self.code(0x190 + symbol - 144, 9),
            256..=279 => self.code(symbol - 256, 7),
            _ => self.code(0xc0 + symbol - 280, 8),
        }
    }

    /// So many letters once more, from so far back.
    const fn again(&mut self, length: usize, distance: usize) {
        if length == LONGEST {
            self.symbol(285);
        } else {
            let (step, extra, rest) = step(length - SHORTEST, 2);
            self.symbol(257 + step);
            self.put(rest, extra);
        }
        let (step, extra, rest) = step(distance - 1, 1);
        self.code(step, 5);
        self.put(rest, extra);
    }
}

/// The step that a number belongs to, when there are `2^fine` steps to each doubling; how many bits say where in it the
/// number is, and these.
const fn step(number: usize, fine: u32) -> (usize, u32, usize) {
    let bits = usize::BITS - number.leading_zeros();
    let extra = bits.saturating_sub(fine + 1);
    (((extra as usize) << fine) + (number >> extra), extra, number & ((1 << extra) - 1))
}

/// The text, packed into as many bytes as come with it. There must be room.
#[allow(clippy::large_stack_arrays, reason = "a compiler has room for them")]
pub(super) const fn pack<const N: usize>(text: &[u8]) -> ([u8; N], usize) {
    let mut packed = Bits { bytes: [0; N], length: 0, held: 0, count: 0 };
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
    let mut at = 0;
    while at < head.len() {
        packed.put(head[at], 8);
        at += 1;
    }
    // The last block, by the codes of the format.
    packed.put(0b011, 3);
    // Behind which place the same three letters stood last, for their hash and for each place.
    let (mut last, mut before) = ([0; HASHES], [0; FARTHEST]);
    let (mut at, mut next) = (0, 0);
    while at < text.len() {
        if at == next {
            let (length, distance) = longest(text, at, &last, &before);
            next = at + if length >= SHORTEST { length } else { 1 };
            if length >= SHORTEST {
                packed.again(length, distance);
            } else {
                packed.symbol(text[at] as usize);
            }
        }
        if at + SHORTEST <= text.len() {
            let hash = hash(text, at);
            before[at % FARTHEST] = last[hash];
            last[hash] = at + 1;
        }
        at += 1;
    }
    packed.symbol(256);
    packed.put(0, (8 - packed.count) % 8);
    packed.put(crc(text) as usize, 32);
    packed.put(text.len(), 32);
    (packed.bytes, packed.length)
}

const fn hash(text: &[u8], at: usize) -> usize {
    let three = (text[at] as usize) << 16 | (text[at + 1] as usize) << 8 | text[at + 2] as usize;
    (three.wrapping_mul(0x9e37_79b1) >> 15) % HASHES
}

/// How many of the letters from here on stood together before, and how far back.
const fn longest(
    text: &[u8],
    at: usize,
    last: &[usize; HASHES],
    before: &[usize; FARTHEST],
) -> (usize, usize) {
    let (mut best, mut distance) = (0, 0);
    if at + SHORTEST > text.len() {
        return (best, distance);
    }
    let (mut place, mut looks) = (last[hash(text, at)], 0);
    while place > 0 && at + 1 - place < FARTHEST && looks < LOOKS {
        let from = place - 1;
        let mut same = 0;
        while same < LONGEST && at + same < text.len() && text[from + same] == text[at + same] {
            same += 1;
        }
        if same > best {
            (best, distance) = (same, at - from);
        }
        place = before[from % FARTHEST];
        looks += 1;
    }
    (best, distance)
}

const fn crc(text: &[u8]) -> u32 {
    let (mut crc, mut at) = (u32::MAX, 0);
    while at < text.len() {
        crc ^= text[at] as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        at += 1;
    }
    !crc
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    use super::*;

    /// What `gzip` makes of it.
    pub(in crate::http::page) fn unpacked(packed: &[u8]) -> Vec<u8> {
        let gzip = Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut gzip = gzip.unwrap();
        let (mut input, mut output) = (gzip.stdin.take().unwrap(), gzip.stdout.take().unwrap());
        let packed = packed.to_vec();
        let writer = std::thread::spawn(move || input.write_all(&packed).unwrap());
        let mut text = Vec::new();
        output.read_to_end(&mut text).unwrap();
        writer.join().unwrap();
        assert!(gzip.wait().unwrap().success());
        text
    }

    #[test]
    fn gzip_unpacks_what_was_packed() {
        let letters: Vec<u8> = (0..=255).collect();
        let runs: Vec<u8> = (0..400_usize).flat_map(|n| vec![(n * n % 251) as u8; n % 300]).collect();
        let far =
            [&letters[..], &vec![b'x'; FARTHEST - 1_000], &letters, &vec![b'y'; 900], &letters].concat();
        for text in [&b""[..], b"a", b"abc", b"aaaa", b"abcabcabcd", &letters, &runs, &far] {
            let (packed, length) = pack::<60_000>(text);
            assert_eq!(unpacked(&packed[..length]), text, "{} bytes", text.len());
        }
    }

    #[test]
    fn what_repeats_itself_is_packed_small() {
        let (_, length) = pack::<1_000>(&b"over and over ".repeat(1_000));
        assert!(length < 150, "{length} bytes");
    }
}
