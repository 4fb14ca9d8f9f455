internal import CCurl
internal import SyncDomain

/// An easy handle of libcurl, for one request, with the memory that libcurl keeps addresses of. Used by the loop's thread alone.
@safe final class EasyHandle {
    let raw: UnsafeMutableRawPointer
    private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    /// libcurl does not copy the list (CURLOPT_HTTPHEADER(3)).
    private var headers: UnsafeMutablePointer<curl_slist>?

    /// - Throws: if libcurl has no memory left.
    init() throws(TransferFault) {
        guard let raw = unsafe curl_easy_init() else {
            unsafe errorText.deallocate()
            throw TransferFault(.protocolViolation, "libcurl made no handle (curl_easy_init)")
        }
        unsafe self.raw = raw
        unsafe errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        try unsafe setPointer(CURLOPT_ERRORBUFFER, errorText)
    }

    deinit {
        unsafe curl_easy_cleanup(raw)
        unsafe curl_slist_free_all(headers)
        unsafe errorText.deallocate()
    }

    func set(_ option: CURLoption, _ value: Int) throws(TransferFault) {
        try check(unsafe modelsync_curl_set_long(raw, option, value), option)
    }

    func set(_ option: CURLoption, _ value: String) throws(TransferFault) {
        try check(unsafe modelsync_curl_set_string(raw, option, value), option)
    }

    /// The value is kept by libcurl: it must outlive the transfer.
    @unsafe func setPointer(_ option: CURLoption, _ value: UnsafeMutableRawPointer?) throws(TransferFault) {
        try check(unsafe modelsync_curl_set_pointer(raw, option, value), option)
    }

    func set(_ option: CURLoption, _ callback: modelsync_curl_data_callback) throws(TransferFault) {
        try check(unsafe modelsync_curl_set_data_callback(raw, option, callback), option)
    }

    func setHeaders(_ lines: [String]) throws(TransferFault) {
        for line in lines {
            guard let longer = unsafe curl_slist_append(headers, line) else {
                throw TransferFault(.protocolViolation, "libcurl has no memory for a header (curl_slist_append)")
            }
            unsafe headers = longer
        }
        try check(unsafe modelsync_curl_set_list(raw, CURLOPT_HTTPHEADER, headers), CURLOPT_HTTPHEADER)
    }

    func setOpening(_ callback: modelsync_curl_open_callback) throws(TransferFault) {
        try check(unsafe modelsync_curl_set_open_callback(raw, callback), CURLOPT_SOCKOPTFUNCTION)
    }

    func setClosing(_ callback: modelsync_curl_close_callback) throws(TransferFault) {
        try check(unsafe modelsync_curl_set_close_callback(raw, callback), CURLOPT_CLOSESOCKETFUNCTION)
    }

    private func check(_ code: CURLcode, _ option: CURLoption) throws(TransferFault) {
        if code == CURLE_OK { return }
        throw TransferFault(
            .protocolViolation, "libcurl refused its option \(option.rawValue) with error \(code.rawValue)")
    }

    /// After the transfer.
    func failure(_ code: CURLcode) -> CurlFailure {
        CurlFailure(
            code: code.rawValue, text: unsafe String(cString: errorText),
            isResolved: microseconds(CURLINFO_NAMELOOKUP_TIME_T) > 0,
            // Reused connections have no connect time, but every request that was sent has this one.
            isConnected: microseconds(CURLINFO_PRETRANSFER_TIME_T) > 0,
            systemError: Int32(clamping: long(CURLINFO_OS_ERRNO)), proxyStatus: long(CURLINFO_HTTP_CONNECTCODE))
    }

    /// Seconds or a date, already counted from now by libcurl; nil if the server asked for nothing.
    var retryAfter: Duration? {
        let seconds = microseconds(CURLINFO_RETRY_AFTER)
        return seconds == 0 ? nil : .seconds(max(0, seconds))
    }

    private func long(_ info: CURLINFO) -> Int {
        var value = 0
        return unsafe modelsync_curl_get_long(raw, info, &value) == CURLE_OK ? value : 0
    }

    private func microseconds(_ info: CURLINFO) -> Int64 {
        var value: curl_off_t = 0
        return unsafe modelsync_curl_get_off(raw, info, &value) == CURLE_OK ? Int64(value) : 0
    }
}

@available(*, unavailable)
extension EasyHandle: Sendable {}
