import java.util.*;

/** Prints javaorder.txt: in which order java.util.HashMap iterates over keys. Run: java JavaOrder.java > javaorder.txt */
public class JavaOrder {
    public static void main(String[] args) {
        Random r = new Random(1);
        for (int n : new int[] { 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 16, 20, 24, 25, 40 }) {
            List<String> sids = new ArrayList<>();
            List<Long> domains = new ArrayList<>();
            for (int i = 0; i < n; i++) {
                sids.add(new UUID(r.nextLong(), r.nextLong()).toString());
                domains.add(i % 3 == 0 ? (long) r.nextInt(40) : r.nextLong() & 0xffffffffL);
            }
            Map<String, String> sized = new HashMap<>(n), grown = new HashMap<>();
            Map<Long, String> numbers = new HashMap<>();
            for (int i = 0; i < n; i++) {
                sized.put(sids.get(i), sids.get(i));
                grown.put(sids.get(i), sids.get(i));
                numbers.put(domains.get(i), "");
            }
            System.out.println("sized " + String.join(",", sids) + " " + String.join(",", sized.keySet()));
            System.out.println("grown " + String.join(",", sids) + " " + String.join(",", grown.keySet()));
            StringJoiner in = new StringJoiner(","), out = new StringJoiner(",");
            domains.forEach(d -> in.add(d.toString()));
            numbers.keySet().forEach(d -> out.add(d.toString()));
            System.out.println("domains " + in + " " + out);
        }
    }
}
