import Foundation

/// What all text files have in common.
package enum SourceText {
    private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// Why the bytes are no text that can be read; nil for UTF-8 or what is nearly so.
    package static func fault(_ bytes: [UInt8]) -> String? {
        let head = bytes.prefix(4)
        if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) || head.contains(0) {
            return "the file is UTF-16 or no text at all; save it as UTF-8"
        }
        return nil
    }

    /// Without the byte-order mark that some editors put in front.
    package static func withoutMark(_ bytes: [UInt8]) -> [UInt8] {
        bytes.starts(with: mark) ? Array(bytes.dropFirst(mark.count)) : bytes
    }

    /// Where each line of a text begins.
    struct Lines {
        private let starts: [Int]

        init(_ bytes: [UInt8]) {
            var starts = [0]
            while let newline = bytes.firstIndex(of: 10, from: starts[starts.count - 1]) { starts.append(newline + 1) }
            self.starts = starts
        }

        /// Both counted from 1; the column in bytes.
        func place(of offset: Int) -> (line: Int, column: Int) {
            var (low, high) = (0, starts.count)
            while high - low > 1 {
                let middle = (low + high) / 2
                if starts[middle] <= offset { low = middle } else { high = middle }
            }
            return (low + 1, offset - starts[low] + 1)
        }
    }
}

extension [UInt8] {
    /// As fast as the C library, which in files of many megabytes is felt.
    func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, start < bytes.count,
                let found = memchr(base + start, Int32(byte), bytes.count - start)
            else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }
}
