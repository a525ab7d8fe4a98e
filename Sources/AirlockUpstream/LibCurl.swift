package import AirlockCore
import CCurl
import Foundation

/// libcurl in this process: loaded with the first client that sends, so that the embedded store alone does without it.
package enum LibCurl {
    private static let fault: UpstreamError? = {
        if let missing = airlock_curl_load() {
            return UpstreamError(
                .invalid,
                "\(String(cString: missing)) cannot be loaded; install libcurl 7.85 or newer (Debian's package libcurl4)"
            )
        }
        // Told to keep its hands off signals, libcurl leaves this one to the program: a server that closes a connection
        // would end the process.
        signal(SIGPIPE, SIG_IGN)
        guard airlock_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK else {
            return UpstreamError(.invalid, "libcurl could not be initialised")
        }
        return nil
    }()

    /// A second call costs nothing.
    package static func load() throws(UpstreamError) {
        if let fault { throw fault }
    }
}
