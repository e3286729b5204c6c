import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Kafka 3 logs through log4j 1 (reload4j). */
const LOG4J_FILE = "log4j.properties";
const LOG4J = `log4j.rootLogger=INFO, stderr
log4j.appender.stderr=org.apache.log4j.ConsoleAppender
log4j.appender.stderr.target=System.err
log4j.appender.stderr.layout=org.apache.log4j.PatternLayout
log4j.appender.stderr.layout.ConversionPattern=%d{HH:mm:ss.SSS} [%t] %p %c - %m%n
`;

/** Kafka 4 logs through log4j 2 in its image; from Maven we give it the simple logger instead. */
const LOG4J2_FILE = "log4j2.properties";
const LOG4J2 = `appender.stderr.type=Console
appender.stderr.name=stderr
appender.stderr.target=SYSTEM_ERR
appender.stderr.layout.type=PatternLayout
appender.stderr.layout.pattern=%d{HH:mm:ss.SSS} [%t] %p %c - %m%n
rootLogger.level=INFO
rootLogger.appenderRef.stderr.ref=stderr
`;

/** Put the configuration of every logger that a broker may find on its class path into the folder of its cluster. */
export async function writeLoggingFiles(clusterFolder: string): Promise<void> {
  await writeFile(join(clusterFolder, LOG4J_FILE), LOG4J);
  await writeFile(join(clusterFolder, LOG4J2_FILE), LOG4J2);
}

/** What makes any of these loggers write everything from INFO on, with the time, to stderr. */
export function loggingArguments(clusterFolder: string): string[] {
  return [
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    `-Dlog4j.configuration=file:${join(clusterFolder, LOG4J_FILE)}`,
    `-Dlog4j2.configurationFile=${join(clusterFolder, LOG4J2_FILE)}`,
  ];
}
