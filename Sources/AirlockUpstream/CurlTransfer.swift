import AirlockCore
import CCurl
import Foundation

/// One exchange: its easy handle and what has been received. After `init` only the engine's thread touches it, but for
/// `handle`, which never changes.
final class CurlTransfer: @unchecked Sendable {
    let handle: UnsafeMutableRawPointer
    var isCancelled = false

    private let origin: String
    private let responseLimit: Int
    private let timeout: Duration
    private var headers: [(name: String, value: String)] = []
    private var body: [UInt8] = []
    private var isTooLarge = false
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    init(_ request: UpstreamRequest, _ options: CurlClient.Options) throws {
        guard let handle = airlock_easy_init() else { throw UpstreamError(.invalid, "libcurl has no memory left") }
        self.handle = handle
        origin = ServerAddress.origin(of: request.url)
        responseLimit = options.responseLimit
        timeout = request.timeout ?? options.timeout
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        try describe(request)
        try secure(options, request.verification ?? options.verification)
        try route(request.url, options)
        set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options.connectTimeout))
        set(CURLOPT_TIMEOUT_MS, milliseconds(timeout))
        try set(CURLOPT_USERAGENT, options.userAgent)
        receive()
    }

    deinit {
        airlock_easy_cleanup(handle)
        airlock_slist_free_all(headerList)
        errorText.deallocate()
    }

    // MARK: Request

    private func describe(_ request: UpstreamRequest) throws {
        try set(CURLOPT_URL, request.url)
        try set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_FOLLOWLOCATION, 0)
        // A dot is a dot: libcurl would shorten the path by its own rules.
        set(CURLOPT_PATH_AS_IS, 1)
        // Signals would reach the whole process.
        set(CURLOPT_NOSIGNAL, 1)
        switch request.method {
        case "HEAD": set(CURLOPT_NOBODY, 1)
        case "GET" where request.body == nil: set(CURLOPT_HTTPGET, 1)
        default: try set(CURLOPT_CUSTOMREQUEST, request.method)
        }
        if let body = request.body {
            _ = airlock_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
            // libcurl copies the bytes; a zero keeps the pointer valid for an empty body.
            (body + [0]).withUnsafeBytes { bytes in
                _ = airlock_set_pointer(
                    handle, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            }
        }
        // Waiting for "100 Continue" costs a second on servers that never send it.
        try append(header: "Expect:")
        for (name, value) in request.headers { try append(header: "\(name): \(value.revealed)") }
        _ = airlock_set_list(handle, CURLOPT_HTTPHEADER, headerList)
    }

    private func append(header: String) throws {
        guard header.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw UpstreamError(
                .invalid, "a header or credential holds a control character, such as a newline at its end")
        }
        guard let list = airlock_slist_append(headerList, header) else {
            throw UpstreamError(.invalid, "libcurl has no memory left")
        }
        headerList = list
    }

    private func secure(_ options: CurlClient.Options, _ verification: TLSVerification) throws {
        switch verification {
        case .system: break
        case .off:
            set(CURLOPT_SSL_VERIFYPEER, 0)
            set(CURLOPT_SSL_VERIFYHOST, 0)
        case .authority(let path):
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
                throw UpstreamError(.tls, "the CA certificate \(path) does not exist")
            }
            // These authorities and no others: libcurl would ask the system's too.
            _ = airlock_set_pointer(handle, CURLOPT_CAINFO, nil)
            _ = airlock_set_pointer(handle, CURLOPT_CAPATH, nil)
            try set(isFolder.boolValue ? CURLOPT_CAPATH : CURLOPT_CAINFO, path)
        case .authorityText(let pem):
            _ = airlock_set_pointer(handle, CURLOPT_CAINFO, nil)
            _ = airlock_set_pointer(handle, CURLOPT_CAPATH, nil)
            Array(pem.utf8).withUnsafeBytes { bytes in
                var blob = curl_blob(
                    data: UnsafeMutableRawPointer(mutating: bytes.baseAddress), len: bytes.count,
                    flags: UInt32(CURL_BLOB_COPY))
                _ = airlock_set_pointer(handle, CURLOPT_CAINFO_BLOB, &blob)
            }
        }
        guard let certificate = options.clientCertificate else { return }
        for path in [certificate.certificate, certificate.key].compactMap(\.self)
        where !FileManager.default.isReadableFile(atPath: path) {
            throw UpstreamError(.tls, "the client certificate file \(path) cannot be read")
        }
        try set(CURLOPT_SSLCERT, certificate.certificate)
        try set(CURLOPT_SSLKEY, certificate.key ?? certificate.certificate)
    }

    private func route(_ url: String, _ options: CurlClient.Options) throws {
        if let socket = options.unixSocket {
            try set(CURLOPT_UNIX_SOCKET_PATH, socket)
            try set(CURLOPT_PROXY, "")
            return
        }
        guard case .byScheme(let proxies) = options.proxies else { return }
        let scheme = url.prefix { $0 != ":" }.lowercased()
        try set(CURLOPT_PROXY, (proxies[scheme] ?? proxies["all"])?.revealed ?? "")
    }

    private func set(_ option: CURLoption, _ value: Int) { _ = airlock_set_long(handle, option, value) }

    private func set(_ option: CURLoption, _ value: String) throws {
        guard !value.utf8.contains(0), airlock_set_string(handle, option, value) == CURLE_OK else {
            throw UpstreamError(.invalid, "libcurl does not accept the request to \(origin)")
        }
    }

    private func milliseconds(_ duration: Duration) -> Int {
        max(1, Int(duration / .milliseconds(1)))
    }

    // MARK: Response

    private func receive() {
        let me = Unmanaged.passUnretained(self).toOpaque()
        _ = airlock_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText)
        _ = airlock_set_pointer(handle, CURLOPT_WRITEDATA, me)
        _ = airlock_set_pointer(handle, CURLOPT_HEADERDATA, me)
        _ = airlock_set_receive(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
            return transfer.take(body: UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
        _ = airlock_set_receive(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            guard let bytes, let context else { return 0 }
            let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
            return transfer.take(header: UnsafeRawBufferPointer(start: bytes, count: size * count))
        }
    }

    private func take(body bytes: UnsafeRawBufferPointer) -> Int {
        guard body.count + bytes.count <= responseLimit else {
            isTooLarge = true
            return 0
        }
        body += bytes
        return bytes.count
    }

    private func take(header bytes: UnsafeRawBufferPointer) -> Int {
        let line = String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            // A new status line: what came before was a 100 Continue or a proxy's answer.
            (headers, body) = ([], [])
        } else if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...]
            headers.append((line[..<colon].lowercased(), value.trimmingCharacters(in: .whitespacesAndNewlines)))
        }
        return bytes.count
    }

    func result(_ code: CURLcode) -> Result<UpstreamResponse, any Error> {
        guard code == CURLE_OK else { return .failure(failure(code)) }
        var status = 0
        _ = airlock_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        return .success(UpstreamResponse(status: status, headers: headers, body: body))
    }

    private func failure(_ code: CURLcode) -> UpstreamError {
        switch code {
        // libcurl's way to say that bytes came which are no HTTP at all.
        case CURLE_UNSUPPORTED_PROTOCOL where String(cString: errorText).contains("HTTP/0.9"):
            UpstreamError(.malformed, notHTTP)
        case CURLE_COULDNT_RESOLVE_HOST:
            UpstreamError(.unresolved, "\(origin): the host name has no address; check the url and DNS")
        case CURLE_COULDNT_CONNECT:
            UpstreamError(.refused, "\(origin): connection refused; check that the server is running there")
        case CURLE_OPERATION_TIMEDOUT:
            UpstreamError(.timeout, "\(origin): no complete answer in time (limit \(timeout))")
        case CURLE_COULDNT_RESOLVE_PROXY, CURLE_PROXY:
            UpstreamError(.proxy, "\(origin): the proxy on the way cannot be used; check 'proxies' or HTTPS_PROXY")
        case CURLE_WRITE_ERROR where isTooLarge, CURLE_FILESIZE_EXCEEDED:
            UpstreamError(.tooLarge, "\(origin): the answer is larger than \(responseLimit) bytes")
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_FUNCTION_ARGUMENT:
            UpstreamError(.invalid, "the url is not one of a server: http://HOST:PORT or https://HOST:PORT")
        case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING:
            UpstreamError(.malformed, notHTTP)
        case _ where CurlTransfer.tlsFailures.contains(code.rawValue):
            UpstreamError(.tls, "\(origin): TLS: \(tlsReason(code))")
        default:
            UpstreamError(.broken, "\(origin): the connection broke: \(String(cString: airlock_easy_strerror(code)))")
        }
    }

    private var notHTTP: String { "\(origin): the answer is not HTTP; check the port, and http or https" }

    /// libcurl's detail for a TLS failure comes from OpenSSL and the certificate, never from a request.
    private func tlsReason(_ code: CURLcode) -> String {
        let detail = String(cString: errorText)
        return detail.isEmpty ? String(cString: airlock_easy_strerror(code)) : detail
    }

    private static let tlsFailures: Set<UInt32> = Set(
        [
            CURLE_SSL_CONNECT_ERROR, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_CERTPROBLEM,
            CURLE_SSL_CIPHER, CURLE_PEER_FAILED_VERIFICATION, CURLE_USE_SSL_FAILED, CURLE_SSL_ENGINE_INITFAILED,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_SHUTDOWN_FAILED, CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT,
        ].map(\.rawValue))
}
