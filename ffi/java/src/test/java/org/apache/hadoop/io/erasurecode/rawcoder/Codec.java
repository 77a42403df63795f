package org.apache.hadoop.io.erasurecode.rawcoder;

/** Hadoop's codecs: the factory of Hadoop's own coder, and ours. */
enum Codec {
  RS(new RSRawErasureCoderFactory(), new RestripeRawErasureCoderFactory.RS()),
  RS_LEGACY(
      new RSLegacyRawErasureCoderFactory(), new RestripeRawErasureCoderFactory.RSLegacy()),
  XOR(new XORRawErasureCoderFactory(), new RestripeRawErasureCoderFactory.XOR());

  final RawErasureCoderFactory hadoop;
  final RawErasureCoderFactory restripe;

  Codec(RawErasureCoderFactory hadoop, RawErasureCoderFactory restripe) {
    this.hadoop = hadoop;
    this.restripe = restripe;
  }
}
