extension ImportSource {
    /// A file that is one JSON object of ids, as `airflow connections export` and `airflow variables export` write it and
    /// `LocalFilesystemBackend` reads it.
    package init(json bytes: [UInt8], named source: String, reading: ImportReading = ImportReading()) {
        self.init(named: source, reading: reading)
        if let fault = SourceText.fault(bytes) {
            rejectAll(.init(source: source, line: 1), fault)
            return
        }
        let bytes = SourceText.withoutMark(bytes)
        let lines = SourceText.Lines(bytes)
        do throws(JSON.SyntaxError) {
            try JSON.forEachMember(of: bytes, stringLimit: ImportCandidate.sizeLimit) { member in
                let place = lines.place(of: member.nameOffset)
                var flaws: [String] = []
                if let flaw = member.flaw {
                    flaws = ["\(flaw.reason) (line \(lines.place(of: flaw.offset).line)): remove it"]
                }
                add(
                    ImportEntry(
                        id: member.name, line: place.line, column: place.column, value: member.value,
                        memberLines: member.nameOffsets.map { lines.place(of: $0).line }, flaws: flaws))
            }
        } catch {
            let place = lines.place(of: error.offset)
            rejectAll(
                .init(source: source, line: place.line, column: place.column),
                "\(error.reason): the file must be one whole JSON object, {\"ID\": ...}; nothing of it is imported")
        }
    }
}

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
            for (index, byte) in bytes.enumerated() where byte == 10 { starts.append(index + 1) }
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
