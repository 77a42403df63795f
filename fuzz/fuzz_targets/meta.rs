//! Any bytes as a `.meta` file and its block: accepted only if they are written the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use restripe::hdfs::{BlockFileName, MetaHeader};
use restripe_fuzz::Choices;

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let meta_len = choices.number();
    let rest = choices.rest();
    let (meta, block) = rest.split_at(meta_len.min(rest.len()));
    if let Ok(name) = String::from_utf8_lossy(meta).parse::<BlockFileName>() {
        assert_eq!(name.to_string().as_bytes(), meta);
    }
    let Ok(header) = MetaHeader::decode(meta) else { return };
    assert_eq!(header.encode(), meta[..MetaHeader::LEN]);
    let checksum = header.checksum();
    let sums = &meta[MetaHeader::LEN..];
    let verified = checksum.verify(block, sums);
    if header.meta_len(block.len() as u64) != Ok(meta.len() as u64) {
        assert!(verified.is_err());
        return;
    }
    let mut computed = vec![0; sums.len()];
    checksum.compute(block, &mut computed).expect("as many checksums as chunks");
    assert_eq!(verified.is_ok(), computed == sums);
});
