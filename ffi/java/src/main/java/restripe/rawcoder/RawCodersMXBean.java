package restripe.rawcoder;

/** What restripe has computed in this virtual machine: {@code restripe:type=RawCoders} in JMX. */
public interface RawCodersMXBean {
  /** The version of the native engine. */
  String getVersion();

  /** The kernel that it computes on. */
  String getKernel();

  /** Where the native library was found. */
  String getLibrary();

  /** Encoders made. */
  long getEncoders();

  /** Decoders made. */
  long getDecoders();

  /** Calls that encoded. */
  long getEncodes();

  /** Calls that decoded. */
  long getDecodes();

  /** Bytes of data that were encoded. */
  long getEncodedBytes();

  /** Bytes that were rebuilt. */
  long getDecodedBytes();
}
