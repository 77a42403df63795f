package org.apache.ozone.erasurecode.rawcoder;

import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** Ozone's own tests of raw coders, run with ours. */
class OzonesOwnTest {
  @Nested
  class RS extends TestRSRawCoderBase {
    RS() {
      super(RestripeRSRawErasureCoderFactory.class, RestripeRSRawErasureCoderFactory.class);
      setAllowDump(false);
    }

    /** Theirs releases coders of no units at all, which ours refuse to be. */
    @Override
    @Test
    public void testIdempotentReleases() {
      prepare(null, 6, 3, new int[] {0}, new int[] {0});
      super.testIdempotentReleases();
    }

    @Test
    void afterRelease() throws Exception {
      prepare(null, 6, 3, new int[] {0}, new int[] {0});
      testAfterRelease();
    }
  }

  @Nested
  class XOR extends TestXORRawCoderBase {
    XOR() {
      super(RestripeXORRawErasureCoderFactory.class, RestripeXORRawErasureCoderFactory.class);
      setAllowDump(false);
    }

    @Override
    @Test
    public void testIdempotentReleases() {
      prepare(null, 10, 1, new int[] {0}, new int[0]);
      super.testIdempotentReleases();
    }

    @Test
    void afterRelease() throws Exception {
      prepare(null, 10, 1, new int[] {0}, new int[0]);
      testAfterRelease();
    }
  }
}
