// Get client|connection URL: prints what is there, by one of Java's ways to ask, as a program that knows of no proxy.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

public class Get {
  public static void main(String[] arguments) throws Exception {
    URI uri = URI.create(arguments[1]);
    if (arguments[0].equals("client")) {
      var request = HttpRequest.newBuilder(uri).build();
      System.out.print(HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body());
    } else {
      System.out.write(uri.toURL().openStream().readAllBytes());
      System.out.flush();
    }
  }
}
