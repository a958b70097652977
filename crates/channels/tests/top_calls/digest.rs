//! The digests of the three sign methods, from their standards.

/// MD5 as RFC 1321 has it.
pub(crate) fn md5(message: &[u8]) -> Vec<u8> {
    const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    // floor(2^32 × |sin(i + 1)|), in integers: RFC 1321's table T.
    #[rustfmt::skip]
    const T: [u32; 64] = [
        0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
        0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
        0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
        0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
        0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
        0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
        0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
        0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
    ];
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded(message, u64::to_le_bytes).chunks(64) {
        let words: Vec<u32> = block.chunks(4).map(|w| u32::from_le_bytes(w.try_into().unwrap())).collect();
        let mut v = state;
        for i in 0..64 {
            let (mixed, word) = match i / 16 {
                0 => ((v[1] & v[2]) | (!v[1] & v[3]), i),
                1 => ((v[3] & v[1]) | (!v[3] & v[2]), (5 * i + 1) % 16),
                2 => (v[1] ^ v[2] ^ v[3], (3 * i + 5) % 16),
                _ => (v[2] ^ (v[1] | !v[3]), (7 * i) % 16),
            };
            let sum = v[0].wrapping_add(mixed).wrapping_add(T[i]).wrapping_add(words[word]);
            v = [v[3], v[1].wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4])), v[1], v[2]];
        }
        state.iter_mut().zip(v).for_each(|(sum, part)| *sum = sum.wrapping_add(part));
    }
    state.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The first 32 bits of the fractional part of a prime's root, exactly: floor(root × 2^32) by bisection.
fn root_bits(prime: u128, power: u32) -> u32 {
    let target = prime << (32 * power);
    let (mut low, mut high) = (0_u128, 1 << 40);
    while low + 1 < high {
        let middle = u128::midpoint(low, high);
        if middle.pow(power) <= target { low = middle } else { high = middle }
    }
    u32::try_from(low & 0xffff_ffff).unwrap()
}

/// SHA-256 as FIPS 180-4 has it.
pub(crate) fn sha256(message: &[u8]) -> Vec<u8> {
    let primes: Vec<u128> = (2..312).filter(|n| (2..*n).all(|divisor| n % divisor != 0)).take(64).collect();
    let constants: Vec<u32> = primes.iter().map(|prime| root_bits(*prime, 3)).collect();
    let mut state: Vec<u32> = primes.iter().take(8).map(|prime| root_bits(*prime, 2)).collect();
    for block in padded(message, u64::to_be_bytes).chunks(64) {
        let mut words: Vec<u32> = block.chunks(4).map(|w| u32::from_be_bytes(w.try_into().unwrap())).collect();
        for i in 16..64 {
            let (x, y) = (words[i - 15], words[i - 2]);
            let s0 = x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3);
            let s1 = y.rotate_right(17) ^ y.rotate_right(19) ^ (y >> 10);
            words.push(words[i - 16].wrapping_add(s0).wrapping_add(words[i - 7]).wrapping_add(s1));
        }
        let mut v = state.clone();
        for (word, constant) in words.iter().zip(&constants) {
            let s1 = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
            let choice = (v[4] & v[5]) ^ (!v[4] & v[6]);
            let t1 = v[7].wrapping_add(s1).wrapping_add(choice).wrapping_add(*constant).wrapping_add(*word);
            let s0 = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
            let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
            v.rotate_right(1);
            v[4] = v[4].wrapping_add(t1);
            v[0] = t1.wrapping_add(s0).wrapping_add(majority);
        }
        state.iter_mut().zip(v).for_each(|(sum, part)| *sum = sum.wrapping_add(part));
    }
    state.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn padded(message: &[u8], length: fn(u64) -> [u8; 8]) -> Vec<u8> {
    let mut bytes = [message, &[0x80]].concat();
    bytes.resize(bytes.len() + (120 - bytes.len() % 64) % 64, 0);
    bytes.extend(length(8 * u64::try_from(message.len()).unwrap()));
    bytes
}

/// HMAC as RFC 2104 has it.
pub(crate) fn hmac(hash: fn(&[u8]) -> Vec<u8>, key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = if key.len() > 64 { hash(key) } else { key.to_vec() };
    block.resize(64, 0);
    let pad = |byte: u8| block.iter().map(|b| b ^ byte).collect::<Vec<u8>>();
    let inner = hash(&[pad(0x36), message.to_vec()].concat());
    hash(&[pad(0x5c), inner].concat())
}

/// Upper-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02X}"))
}
