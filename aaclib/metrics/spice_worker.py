"""The process in which SPICE's Java runs. `aaclib.metrics.spice` starts it; it imports nothing but JPype.

A process of its own, because JPype allows one JVM a process and none after a fork, and because SPICE's class path
spoils the PTB tokenizer's. One JSON request a line on stdin, one JSON answer a line on stdout; it ends when stdin does,
even in the middle of a parse.

The Java is SPICE 1.0's own (Anderson et al., 2016): its parser, graphs and scorer. Its `main` cannot run on Java 15 and
newer (it pretty-prints with a JavaScript engine that is gone), so its parts are called one by one; and the name
recogniser of its annotators is left out, because nothing that SPICE looks at depends on it.
"""

import json
import os
import queue
import sys
import tempfile
import threading

ANNOTATORS = "tokenize,ssplit,parse,lemma"


def main() -> None:
    settings = json.loads(sys.argv[1])  # libjvm, jars, heap, threads
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever Java prints must not mix with the answers
    requests: queue.Queue = queue.Queue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    spice = Spice(settings)
    while True:
        request = requests.get()
        answer = getattr(spice, request.pop("do"))(**request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _read(requests: queue.Queue) -> None:
    """JPype lets other threads run while Java works, so the end of the parent is seen at once."""
    for line in os.fdopen(os.dup(0), encoding="utf-8"):
        requests.put(json.loads(line))
    os._exit(0)


class Spice:
    def __init__(self, settings: dict):
        import jpype

        # JPype asks Java for a full collection after each of Python's, more and more often as memory fills: it costs
        # half of the time, and Java collects by itself. A young generation of this size holds a chunk's garbage.
        jpype.startJVM(
            settings["libjvm"],
            f"-Xmx{settings['heap']}",
            "-Xmn500m",
            "-XX:+UseSerialGC",
            "-XX:+DisableExplicitGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Xss4m",
            "-Dfile.encoding=UTF-8",
            f"-XX:ErrorFile={tempfile.gettempdir()}/aaclib-spice-%p.log",  # not into the user's folder
            classpath=settings["jars"],
            convertStrings=True,
        )
        j = jpype.JClass
        self.HashMap, self.ArrayList = j("java.util.HashMap"), j("java.util.ArrayList")
        self.Graph, self.Stats = j("edu.anu.spice.SceneGraph"), j("edu.anu.spice.SpiceStats")
        self.Annotation = j("edu.stanford.nlp.pipeline.Annotation")
        self.sentences = j("edu.stanford.nlp.ling.CoreAnnotations$SentencesAnnotation").class_
        self.tree = j("edu.stanford.nlp.trees.TreeCoreAnnotations$TreeAnnotation").class_
        self.parser = j("edu.anu.spice.SpiceParser")(None, settings["threads"], True)
        properties = j("java.util.Properties")()
        properties.setProperty("annotators", ANNOTATORS)
        properties.setProperty("depparse.extradependencies", "MAXIMAL")  # as in SPICE's own Annotator
        properties.setProperty("threads", str(settings["threads"]))
        self.pipeline = j("edu.stanford.nlp.pipeline.StanfordCoreNLP")(properties)
        kind = self.parser.getClass()
        self.synonyms = self._open(kind.getDeclaredField("synonyms")).get(self.parser)
        self.tuples_of = self._open(kind.getDeclaredMethod("parseAnnotation", self.Annotation.class_))
        self.tuples = self._open(j("edu.anu.spice.SpiceParser$ProposedTuples").class_.getDeclaredField("tuples"))

    @staticmethod
    def _open(member):
        member.setAccessible(True)
        return member

    def hello(self) -> dict:
        return {"ready": True}

    def parse(self, captions: list[str]) -> dict:
        """captions -> the tuples of each, or null with the reason for one that has no parse."""
        annotations = self.ArrayList([self.Annotation(caption) for caption in captions])
        self.pipeline.annotate(annotations)
        tuples, errors = [], {}
        for i, annotation in enumerate(annotations):
            # CoreNLP hides a failed parse behind a flat tree whose root is X; its tuples would be a silent zero
            trees = [sentence.get(self.tree) for sentence in annotation.get(self.sentences)]
            if any(tree is None or str(tree.value()) == "X" for tree in trees):
                errors[i] = "the parser found no parse"
                tuples.append(None)
            else:
                proposed = self.tuples.get(self.tuples_of.invoke(self.parser, annotation))
                tuples.append([[str(word) for word in one] for one in proposed])
        return {"tuples": tuples, "errors": errors}

    def score(self, clips: list) -> dict:
        """clips: [tuples of the candidate, [tuples of each reference]] -> SPICE's own JSON of each clip's scores."""
        stats = self.Stats(self.HashMap(), False)  # no filters: all tuples count alike
        for i, (candidate, references) in enumerate(clips):
            stats.score(str(i), self._graph([candidate]), self._graph(references), True)
        return {"scores": json.loads(str(stats.toJSONString()))}

    def _graph(self, captions: list):
        graph = self.Graph(self.synonyms, True)
        for words in (words for tuples in captions for words in tuples):
            graph.addTuple(self.ArrayList(words))
        return graph


if __name__ == "__main__":
    main()
