import { serveEngineWorker } from './engineWorker';

void serveEngineWorker();
