/**
 * What the raw coders of Hadoop and those of Apache Ozone have in common. Their classes lie in the
 * packages of those systems, whose coders are not made to be written elsewhere; this package is for
 * them and no interface for others. Of Hadoop and Ozone it needs nothing.
 */
package restripe.rawcoder;
