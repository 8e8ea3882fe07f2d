// Tops up a campus card: Java 17 and later, the JDK alone.
//
// ONECARD_ADDRESS=https://card.example.edu ONECARD_TOKEN=oc_... java TopUp.java 50.00 [KEY]
// The token needs the rights `read` and `topup`. KEY names this top-up for good: whoever runs the same line again gets the
// same order. Without one a new one is made and told.

import java.io.IOException;
import java.math.BigDecimal;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class TopUp {
    static final String ADDRESS = System.getenv("ONECARD_ADDRESS").replaceAll("/+$", "");
    static final String TOKEN = System.getenv("ONECARD_TOKEN");
    static final int TRIES = 5;
    static final Set<String> ENDED =
            Set.of("ended", "in_case", "waiting_for_card", "on_card", "in_account", "refunded");
    static final HttpClient CLIENT = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();

    /** The school says no; the code is stable, the sentence is for people. */
    static class Refused extends Exception {
        Refused(String problem) {
            super(member(problem, "code") + ": " + member(problem, "en"));
        }
    }

    /** One call; again when it is not known whether it arrived, or when the server asks for patience. */
    static String call(String method, String path, String body, String key)
            throws IOException, InterruptedException, Refused {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(ADDRESS + path))
                .timeout(Duration.ofSeconds(15))
                .header("Authorization", "Bearer " + TOKEN)
                .header("Accept", "application/json")
                .header("Accept-Language", "en");
        if (body == null) {
            request.method(method, HttpRequest.BodyPublishers.noBody());
        } else {
            request.method(method, HttpRequest.BodyPublishers.ofString(body))
                    .header("Content-Type", "application/json")
                    .header("Idempotency-Key", key);
        }
        for (int left = TRIES - 1; ; left--) {
            String patience = "1";
            try {
                HttpResponse<String> answer = CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
                boolean good = answer.statusCode() < 300;
                String kind = answer.headers().firstValue("Content-Type").orElse("");
                if (!kind.startsWith(good ? "application/json" : "application/problem+json")) {
                    // A proxy before the school: what the school did is not known.
                    throw new IOException("HTTP " + answer.statusCode() + " is not from the school");
                }
                if (good) {
                    return answer.body();
                }
                patience = answer.headers().firstValue("Retry-After").orElse(null);
                if (patience == null || left == 0) {
                    throw new Refused(answer.body());
                }
            } catch (IOException unknown) {
                if (left == 0) {
                    throw unknown;
                }
            }
            // The same key: however often this is repeated, it is one order.
            Thread.sleep(Duration.ofSeconds(Long.parseLong(patience)).toMillis());
        }
    }

    /** A member of a flat answer; a program of yours has a JSON library for this. */
    static String member(String json, String name) {
        Pattern pattern = Pattern.compile("\"" + name + "\"\\s*:\\s*(?:\"((?:[^\"\\\\]|\\\\.)*)\"|(-?\\d+))");
        Matcher found = pattern.matcher(json);
        if (!found.find()) {
            throw new IllegalStateException("no " + name + " in " + json);
        }
        return found.group(1) != null ? found.group(1) : found.group(2);
    }

    public static void main(String[] arguments) throws Exception {
        // An amount that is not whole fen is an ArithmeticException: nothing is ever rounded.
        long amount = new BigDecimal(arguments[0]).movePointRight(2).longValueExact();
        if (amount <= 0) {
            throw new ArithmeticException(arguments[0] + " is no amount");
        }
        String key = arguments.length > 1 ? arguments[1] : UUID.randomUUID().toString();
        String me = call("GET", "/api/v1/me", null, null);
        System.out.println("balance " + new BigDecimal(member(me, "total_fen")).movePointLeft(2).setScale(2));
        // Told before the first try: if this program dies, the same key finds the same order.
        System.out.println("key " + key);
        String made = call("POST", "/api/v1/me/topup", "{\"amount_fen\":" + amount + "}", key);
        String number = member(made, "number");
        System.out.println("order " + number + " pay at " + member(made, "pay_address"));
        String place = "";
        while (!ENDED.contains(place)) {
            String now = member(call("GET", "/api/v1/me/orders/" + number, null, null), "place");
            if (!now.equals(place)) {
                place = now;
                System.out.println("place " + place);
            }
            if (!ENDED.contains(place)) {
                Thread.sleep(2000);
            }
        }
    }
}
