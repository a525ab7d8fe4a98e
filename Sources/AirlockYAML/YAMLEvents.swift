import CYaml

/// A place in a YAML file and what is wrong there, without any of its text.
package struct YAMLFault: Error {
    package let line: Int
    package let column: Int
    package let reason: String
}

/// One event of libyaml's parser, which Yams brings along. Yams' own nodes take ten times the memory, and its parser has no
/// bound for what aliases repeat.
struct YAMLEvent {
    enum Content {
        case mapping, sequence, end, documentStart, documentEnd, streamEnd
        case scalar(text: String, isPlain: Bool)
        case alias(String)
    }

    let content: Content
    let anchor: String?
    let tag: String?
    /// Counted from 1.
    let line: Int
    let column: Int

    func fault(_ reason: String) -> YAMLFault { YAMLFault(line: line, column: column, reason: reason) }
}

/// The events of a text, one after the other.
final class YAMLEvents {
    private var parser = yaml_parser_t()
    /// libyaml reads from where these bytes are, so they must stay there.
    private let bytes: UnsafeMutableBufferPointer<UInt8>

    init(_ text: [UInt8]) {
        bytes = .allocate(capacity: text.count)
        _ = bytes.initialize(from: text)
        yaml_parser_initialize(&parser)
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(&parser, bytes.baseAddress, bytes.count)
    }

    deinit {
        yaml_parser_delete(&parser)
        bytes.deallocate()
    }

    func next() throws(YAMLFault) -> YAMLEvent {
        while true {
            var event = yaml_event_t()
            guard yaml_parser_parse(&parser, &event) == 1 else { throw fault }
            defer { yaml_event_delete(&event) }
            if event.type != YAML_STREAM_START_EVENT, event.type != YAML_NO_EVENT { return YAMLEvents.event(event) }
        }
    }

    private var fault: YAMLFault {
        let mark = parser.problem_mark
        // libyaml's reasons are fixed texts of its own.
        let problem = parser.problem.map { String(cString: $0) } ?? "it cannot be read"
        if parser.error == YAML_READER_ERROR {
            let place = bytes.prefix(parser.problem_offset)
            let line = place.count { $0 == 10 } + 1
            return YAMLFault(line: line, column: 0, reason: "\(problem); save the file as UTF-8")
        }
        return YAMLFault(line: mark.line + 1, column: mark.column + 1, reason: "no valid YAML, \(problem)")
    }

    private static func event(_ event: yaml_event_t) -> YAMLEvent {
        let (content, anchor, tag) = parts(event)
        return YAMLEvent(
            content: content, anchor: anchor.map { String(cString: $0) }, tag: tag.map { String(cString: $0) },
            line: event.start_mark.line + 1, column: event.start_mark.column + 1)
    }

    private typealias Text = UnsafeMutablePointer<yaml_char_t>

    private static func parts(_ event: yaml_event_t) -> (YAMLEvent.Content, anchor: Text?, tag: Text?) {
        switch event.type {
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
            return (
                .scalar(text: text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE), scalar.anchor, scalar.tag
            )
        case YAML_ALIAS_EVENT:
            return (.alias(event.data.alias.anchor.map { String(cString: $0) } ?? ""), nil, nil)
        case YAML_SEQUENCE_START_EVENT:
            return (.sequence, event.data.sequence_start.anchor, event.data.sequence_start.tag)
        case YAML_MAPPING_START_EVENT:
            return (.mapping, event.data.mapping_start.anchor, event.data.mapping_start.tag)
        case YAML_DOCUMENT_START_EVENT: return (.documentStart, nil, nil)
        case YAML_DOCUMENT_END_EVENT: return (.documentEnd, nil, nil)
        case YAML_STREAM_END_EVENT: return (.streamEnd, nil, nil)
        default: return (.end, nil, nil)
        }
    }
}
