package restripe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.hdds.client.ECReplicationConfig;
import org.apache.hadoop.hdds.client.ECReplicationConfig.EcCodec;
import org.apache.ozone.erasurecode.CodecRegistry;
import org.apache.ozone.erasurecode.rawcoder.RestripeRSRawErasureCoderFactory;
import org.apache.ozone.erasurecode.rawcoder.util.CodecUtil;
import org.junit.jupiter.api.Test;

/** Ozone itself finds our coders and chooses them, or goes on without. */
class OzoneTest {
  /** Prints Ozone's order of coders, and the classes of those that it makes. */
  public static final class Coders {
    private Coders() {}

    public static void main(String[] arguments) {
      for (EcCodec codec : EcCodec.values()) {
        String name = codec.toString();
        System.out.println(
            name + ": " + Arrays.toString(CodecRegistry.getInstance().getCoderNames(name)));
        int parityUnits = codec == EcCodec.XOR ? 1 : 3;
        ECReplicationConfig options = new ECReplicationConfig(6, parityUnits, codec, 1 << 20);
        System.out.println(
            CodecUtil.createRawEncoderWithFallback(options).getClass().getSimpleName());
        System.out.println(
            CodecUtil.createRawDecoderWithFallback(options).getClass().getSimpleName());
      }
    }
  }

  /** Runs {@link Coders} with our classes at the end of the class path, as jars are added to it. */
  private static Child run(String option) throws Exception {
    String ours =
        Paths.get(Restripe.class.getProtectionDomain().getCodeSource().getLocation().toURI())
            .toString();
    List<String> path =
        new ArrayList<>(
            Arrays.asList(System.getProperty("java.class.path").split(File.pathSeparator)));
    assertTrue(path.remove(ours), ours);
    path.add(ours);
    return Child.run(
        "-cp", String.join(File.pathSeparator, path), option, Coders.class.getName());
  }

  @Test
  void ozoneAsksOursFirst() throws Exception {
    Child child = run("-Drestripe.test=nothing");
    assertEquals(0, child.status, child.output);
    String rs = RestripeRSRawErasureCoderFactory.CODER_NAME;
    assertTrue(child.output.contains("rs: [" + rs + ", rs_native, rs_java]"), child.output);
    assertTrue(child.output.contains("xor: [xor_restripe_native, xor_native"), child.output);
    assertEquals(2, child.output.split("RestripeRawEncoder", -1).length - 1, child.output);
    assertEquals(2, child.output.split("RestripeRawDecoder", -1).length - 1, child.output);
  }

  @Test
  void withoutALibraryOzoneGoesOnWithTheNextCoderAndIsToldOnce() throws Exception {
    Child child = run("-Drestripe.library=/nowhere/librestripe_jni.so");
    assertEquals(0, child.status, child.output);
    for (String coder : new String[] {"RSRaw", "XORRaw"}) {
      assertTrue(child.output.contains(coder + "Encoder"), child.output);
      assertTrue(child.output.contains(coder + "Decoder"), child.output);
    }
    assertEquals(
        1, child.output.split("no native library to work with", -1).length - 1, child.output);
  }
}
